"""Prints the path of promtool: the one of PROMTOOL, the one on the PATH, or Debian's, unpacked into the cache.

Nothing is installed: the package also holds a server, which Debian would start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faciliauto" / "promtool"


def unpacked() -> Path:
    """Debian's promtool, downloaded once."""
    promtool = CACHE / "usr/bin/promtool"
    if promtool.is_file():
        return promtool
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        sys.exit("promtool is missing: install Prometheus, or set PROMTOOL to the path of its promtool")
    print("promtool: unpacking Debian's package prometheus (once)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        # Downloads are made by a user of apt's own, who must be able to write here.
        os.chmod(folder, 0o777)
        try:
            download = ["apt-get", "download", "prometheus"]
            if subprocess.run(download, cwd=folder, check=False, stdout=sys.stderr, stderr=subprocess.DEVNULL).returncode:
                # A fresh machine has no lists of packages yet.
                subprocess.run(["apt-get", "update", "--quiet=2"], check=True, stdout=sys.stderr)
                subprocess.run(download, cwd=folder, check=True, stdout=sys.stderr)
            (package,) = Path(folder).glob("prometheus_*.deb")
            CACHE.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", package, CACHE], check=True, stdout=sys.stderr)
        except (subprocess.CalledProcessError, ValueError) as error:
            sys.exit(f"promtool: Debian's package prometheus cannot be had ({error}): set PROMTOOL to the path of one")
    return promtool


def main() -> None:
    given = os.environ.get("PROMTOOL") or shutil.which("promtool")
    print(given or unpacked())


if __name__ == "__main__":
    main()
