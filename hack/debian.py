#!/usr/bin/env python3
"""Installs programs from Debian's packages where they are missing: `python3 hack/debian.py PROGRAM...`.

A program is named as on the command line; where its package has another name, that is known here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Packages that are not named like their program.
PACKAGES = {"chromedriver": "chromium-driver", "promtool": "prometheus"}


def install(*programs: str) -> None:
    """Installs those that are missing and starts no service of theirs, or ends with what to install by hand."""
    missing = [PACKAGES.get(program, program) for program in programs if shutil.which(program) is None]
    if not missing:
        return
    named = " and ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"{named} {'is' if len(missing) == 1 else 'are'} needed: install it, or run this as root on Debian")
    print(f"installing {named}", file=sys.stderr, flush=True)
    # At this run level the packages start nothing.
    quietly = {"check": True, "stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}}
    subprocess.run(["apt-get", "update", "--quiet=2"], **quietly)
    subprocess.run(["apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *missing], **quietly)


if __name__ == "__main__":
    install(*sys.argv[1:])
