#!/usr/bin/env python3
"""Runs the tests that use Redis against each server that we support: `python3 hack/redis_matrix.py [FILTER...]`.

The `redis-server` on the PATH comes first, then Redis 8.0 and Valkey 8.1 from a newer Debian, which confirm writes
(`WAITAOF`). Those two are unpacked once (`hack/cluster/redis_servers.py`). A filter is part of a test's name, as for
`cargo test`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "hack"), str(ROOT / "hack" / "cluster")]

import debian  # noqa: E402
from errors import ClusterError  # noqa: E402
from redis_servers import NEWER, provide, version_of  # noqa: E402
from steps import step  # noqa: E402

TESTS = ROOT / "service" / "tests" / "service"
VARIABLE = "FACILIAUTO_TEST_REDIS_SERVER"


def main() -> int:
    try:
        debian.install("jq", "redis-server", "zstd")
        installed = Path(shutil.which("redis-server") or "redis-server")
        servers = [(f"redis-server {version_of(installed)}", installed)]
        servers += [(server.name, provide(server)) for server in NEWER.values()]
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


if __name__ == "__main__":
    sys.exit(main())
