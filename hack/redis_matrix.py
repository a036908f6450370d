#!/usr/bin/env python3
"""Runs the tests that use Redis against each server that we support: `python3 hack/redis_matrix.py [FILTER...]`.

The `redis-server` on the PATH comes first, then Redis 8.0 and Valkey 8.1 from a newer Debian, which confirm writes
(`WAITAOF`). Those two are unpacked once, with the libraries that they load, into the user's cache; that needs root and
`debootstrap`, which is installed where it is missing. A filter is part of a test's name, as for `cargo test`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "hack"), str(ROOT / "hack" / "cluster")]

import debian  # noqa: E402
from errors import ClusterError  # noqa: E402
from settings import CACHE  # noqa: E402
from steps import run, run_long, step  # noqa: E402

SUITE = "trixie"
SERVERS = CACHE / f"redis-servers-{SUITE}"
TESTS = ROOT / "service" / "tests" / "service"
VARIABLE = "FACILIAUTO_TEST_REDIS_SERVER"


@dataclass(frozen=True)
class Server:
    """A program, and what it must say of its version."""

    name: str
    program: str
    package: str
    version: str


NEWER = (
    Server("Redis 8.0", "redis-server", "redis-server", "v=8.0."),
    Server("Valkey 8.1", "valkey-server", "valkey-server", "v=8.1."),
)


def main() -> int:
    try:
        debian.install("jq", "redis-server", "zstd")
        installed = Path(shutil.which("redis-server") or "redis-server")
        servers = [(f"redis-server {version_of(installed)}", installed)]
        servers += [(server.name, provide(server)) for server in NEWER]
        filters = sys.argv[1:] or modules()
        with step("tests"):
            tests = build()
        failed = [name for name, server in servers if not passes(tests, name, server, filters)]
    except ClusterError as error:
        print(f"redis-matrix: {error}", file=sys.stderr)
        return 1
    print(f"redis-matrix: {len(servers) - len(failed)} of {len(servers)} servers passed", *failed, flush=True)
    return 1 if failed else 0


def modules() -> list[str]:
    """The modules of the tests that start a Redis, found in their text, so that a new one is not forgotten."""
    uses = re.compile(r"\bRedisServer\b")
    users = [path.relative_to(TESTS) for path in TESTS.rglob("*.rs") if uses.search(path.read_text())]
    return sorted({f"{user.parts[0].removesuffix('.rs')}::" for user in users} - {"harness::"})


def build() -> Path:
    """The program of the tests; what cargo says while it builds is shown."""
    command = ["cargo", "test", "--locked", "-p", "faciliauto-service", "--test", "service", "--no-run"]
    done = subprocess.run([*command, "--message-format=json"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    programs = [
        message["executable"]
        for message in messages
        if message.get("executable") and message["target"]["kind"] == ["test"]
    ]
    if done.returncode != 0 or not programs:
        for message in messages:
            print((message.get("message") or {}).get("rendered") or "", end="", file=sys.stderr)
        raise ClusterError("failed to build the tests")
    return Path(programs[0])


def passes(tests: Path, name: str, server: Path, filters: list[str]) -> bool:
    with step(f"{name}: {' '.join(filters)}"):
        environment = {**os.environ, VARIABLE: str(server), "CARGO_MANIFEST_DIR": str(ROOT / "service")}
        done = subprocess.run([str(tests), "--quiet", *filters], cwd=ROOT / "service", env=environment)
    return done.returncode == 0


def provide(server: Server) -> Path:
    """The program of a server from the cache, which is filled first where it must."""
    program = SERVERS / server.program / "run"
    if not program.exists():
        unpack()
    said = version_of(program)
    if server.version not in said:
        raise ClusterError(f"{server.name} was wanted, {program} says {said}: remove {SERVERS} and run it again")
    return program


def version_of(program: Path) -> str:
    found = re.search(r"v=\S+", run(program, "--version"))
    return found[0] if found else "of unknown version"


def unpack() -> None:
    """Installs the servers into a folder of their own and keeps what they need to run."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError("Redis 8.0 and Valkey 8.1 are unpacked by debootstrap: run this as root on Debian or Ubuntu")
    debian.install("debootstrap")
    SERVERS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="faciliauto-redis-") as folder:
        root = Path(folder) / "root"
        packages = ",".join(server.package for server in NEWER)
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(root)]
        with step(f"unpacking {packages} of Debian {SUITE}"):
            run_long("debootstrap", command, SERVERS / "debootstrap.log", dict(os.environ), ROOT)
        for server in NEWER:
            keep(root, server)


def keep(root: Path, server: Server) -> None:
    """Copies a program with its libraries and its own loader: this machine's may be older than it needs."""
    loader = next(iter(sorted(root.glob("usr/lib*/ld-linux-*.so.*"))), None)
    libraries = next(iter(sorted(root.glob("usr/lib/*-linux-gnu"))), None)
    if loader is None or libraries is None:
        raise ClusterError(f"debootstrap left no loader or no libraries in {root}")
    # The program is a link to one of several names, and looks by which of them it was called.
    program = root / "usr" / "bin" / server.program
    listed = run(loader, "--library-path", libraries, "--list", program)
    unfinished = SERVERS / f"{server.program}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for library in re.findall(r"=> (/\S+)", listed):
        shutil.copy(library, unfinished / Path(library).name)
    shutil.copy(program, unfinished / server.program)
    shutil.copy(loader, unfinished / "loader")
    start = unfinished / "run"
    here = '"$(dirname "$(readlink -f "$0")")"'
    start.write_text(
        f'#!/bin/sh\nhere={here}\n'
        f'exec "$here/loader" --library-path "$here" "$here/{server.program}" "$@"\n'
    )
    start.chmod(0o755)
    finished = SERVERS / server.program
    shutil.rmtree(finished, ignore_errors=True)
    unfinished.rename(finished)


if __name__ == "__main__":
    sys.exit(main())
