"""A virtual environment of its own with what asks the API, kept between runs in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "faciliauto" / "contract-test"
VENV = CACHE / "venv"
# What is installed; compared with the requirements, so that a changed pin is followed.
INSTALLED = VENV / "installed.txt"


def program() -> Path:
    """The program that asks, installed or brought up to date first."""
    wanted = REQUIREMENTS.read_text()
    if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
        print(f"installing Schemathesis into {VENV}", file=sys.stderr, flush=True)
        venv.create(VENV, clear=True, with_pip=True)
        install = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
        INSTALLED.write_text(wanted)
    return VENV / "bin" / "schemathesis"
