#!/usr/bin/env python3
"""Cargo as the images are built: static programs, with the flags of the Dockerfile.

    python3 hack/shipped.py bench --package faciliauto-service --bench http

Whatever is compiled for an image is not compiled again for a benchmark, and the other way round.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILED = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faciliauto" / "cargo-target"
# Named even where it is the host's own: flags for a target that is named stay away from build scripts and macros.
TARGET = f"{platform.machine()}-unknown-linux-gnu"


def environment() -> dict[str, str]:
    """This process's variables, with what the Dockerfile gives its compiler."""
    flags = re.search(r'RUSTFLAGS="([^"]+)"', (ROOT / "Dockerfile").read_text())
    if flags is None:
        raise SystemExit("the Dockerfile sets no RUSTFLAGS")
    return {**os.environ, "RUSTFLAGS": flags[1], "CARGO_TARGET_DIR": str(COMPILED)}


if __name__ == "__main__":
    verb, *rest = sys.argv[1:] or ["build", "--release"]
    command = ["cargo", verb, "--locked", "--target", TARGET, *rest]
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode)
