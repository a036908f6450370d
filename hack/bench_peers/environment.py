"""A virtual environment of its own with the peers' packages, kept between runs in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "faciliauto" / "bench-peers"
VENV = CACHE / "venv"
# What is installed; compared with the requirements, so that a changed pin is followed.
INSTALLED = VENV / "installed.txt"


def enter() -> None:
    """Goes on in the environment, which is made or brought up to date first."""
    if Path(sys.prefix) == VENV:
        return
    wanted = REQUIREMENTS.read_text()
    if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
        print(f"installing the peers into {VENV}", file=sys.stderr, flush=True)
        venv.create(VENV, clear=True, with_pip=True)
        install = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
        INSTALLED.write_text(wanted)
    # NumPy's product of a matrix this small is quicker on one thread than on several that wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, str(HERE), *sys.argv[1:]])
