"""`drill`: a system of full size under load, its backup, its restore, or what kills them, on each Redis that is named."""

from __future__ import annotations

import os
import subprocess
import sys

from target import LOCAL_REDIS_IMAGE, REPOSITORY, Target, TargetError, run_cluster_tool
from temporary import temporary_system

# Each is a module of operator/tests/drills.
DRILLS = ("backup", "restore", "crash")
# As hack/cluster names the images of those that it loads.
SERVERS = {
    "7.0": LOCAL_REDIS_IMAGE,
    "8.0": "localhost/faciliauto/redis:8.0",
    "valkey-8.1": "localhost/faciliauto/valkey:8.1",
}
DEFAULT = "7.0"
LIMIT_SECONDS = 3600


def run_drill(drill: str, servers: list[str]) -> None:
    """Brings up what is missing, runs the drill on one server after another, and takes away what it brought."""
    servers = servers or [DEFAULT]
    if unknown := [server for server in servers if server not in SERVERS]:
        raise TargetError(f"REDIS={' '.join(unknown)}: drills know {', '.join(SERVERS)}")
    if os.environ.get("KUBECONFIG"):
        raise TargetError("KUBECONFIG is set: drills reach pods and volumes directly, on the local cluster; unset it")
    with temporary_system() as target:
        drill_on(target, drill, servers)


def drill_on(target: Target, drill: str, servers: list[str]) -> None:
    """Runs the drill on a system that is up. Its figures go to standard output, all else to standard error."""
    if any(server != DEFAULT for server in servers):
        run_cluster_tool("redis-images")
    missed = [server for server in servers if not holds(target, drill, server)]
    if missed:
        raise TargetError(f"drill-{drill} failed on {', '.join(missed)}: what was missed is said above")


def holds(target: Target, drill: str, server: str) -> bool:
    """Runs it on one server; only lines of figures of what the tests print are figures."""
    print(f"==> drill-{drill} on {SERVERS[server]}", file=sys.stderr, flush=True)
    environment = {
        **os.environ,
        "KUBECONFIG": target.kubeconfig,
        "FACILIAUTO_TEST_REDIS_IMAGE": SERVERS[server],
        # Figures of another server than the default carry its name.
        "FACILIAUTO_DRILL_SERVER": "" if server == DEFAULT else server,
    }
    # The whole workspace, as the other tests are built: a package by itself would be built anew with other features.
    command = [
        "cargo", "test", "--locked", "--workspace", "--test", "drills", "--",
        "--nocapture", "--test-threads", "1", f"{drill}::",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise TargetError(f"drill-{drill} did not end within {LIMIT_SECONDS} s on {server}") from None
    return done.returncode == 0
