"""Chromium and openssl from Debian, and a virtual environment with the driver, kept in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REQUIREMENTS = HERE / "requirements.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "faciliauto" / "page-test"
VENV = CACHE / "venv"
# What is installed; compared with the requirements, so that a changed pin is followed.
INSTALLED = VENV / "installed.txt"
# Program and Debian package.
NEEDED = {"chromium": "chromium", "chromedriver": "chromium-driver", "openssl": "openssl"}


def enter() -> None:
    """Goes on in the environment, which is made or brought up to date first."""
    if Path(sys.prefix) == VENV:
        return
    install_programs()
    wanted = REQUIREMENTS.read_text()
    if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
        print(f"installing the browser's driver into {VENV}", file=sys.stderr, flush=True)
        venv.create(VENV, clear=True, with_pip=True)
        install = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True, stdout=sys.stderr)
        INSTALLED.write_text(wanted)
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, str(HERE), *sys.argv[1:]])


def install_programs() -> None:
    """Installs the programs that are missing, where we may."""
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"the page's test needs {' and '.join(missing)}: install them, or run it as root on Debian")
    print(f"installing {' and '.join(missing)}", file=sys.stderr, flush=True)
    quietly = {"check": True, "stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "--quiet=2"], **quietly)
    subprocess.run(["apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *missing], **quietly)
