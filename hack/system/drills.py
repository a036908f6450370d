"""`drill`: a system of full size under load, its backup, its restore, or what kills them, on each Redis that is named."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from target import LOCAL_REDIS_IMAGE, REPOSITORY, Target, TargetError, cluster_tool, run_cluster_tool
from temporary import temporary_system

# Each is a module of operator/tests/drills. That of crashes on a cluster dies at the borders of a restore; at every single
# command, and at every write to the target, the service's own tests do.
PARTS = {
    "backup": [("drills", ["backup::"])],
    "restore": [("drills", ["restore::"])],
    "crash": [
        ("service", ["backup::killed::", "backup::storage::", "redis_generations::a_restore_that_dies"]),
        ("drills", ["crash::"]),
    ],
}
DRILLS = tuple(PARTS)
# As hack/cluster names the images of those that it loads.
SERVERS = {
    "7.0": LOCAL_REDIS_IMAGE,
    "8.0": "localhost/faciliauto/redis:8.0",
    "valkey-8.1": "localhost/faciliauto/valkey:8.1",
}
# As hack/cluster names the programs of those that are on no PATH.
PROGRAMS = {"8.0": "redis-8.0", "valkey-8.1": "valkey-8.1"}
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
    # A drill that kills Redis runs it as a process of this machine.
    if drill != "crash":
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
        # What a backup of this one is restored on as well.
        "FACILIAUTO_DRILL_OTHER_REDIS_IMAGE": SERVERS["7.0" if server.startswith("valkey") else "valkey-8.1"],
        # Figures of another server than the default carry its name.
        "FACILIAUTO_DRILL_SERVER": "" if server == DEFAULT else server,
    }
    if drill == "crash" and server != DEFAULT:
        environment["FACILIAUTO_TEST_REDIS_SERVER"] = cluster_tool(PROGRAMS[server])
    return all(passes(environment, test, filters, f"drill-{drill} on {server}") for test, filters in PARTS[drill])


def passes(environment: dict[str, str], test: str, filters: list[str], name: str) -> bool:
    """Runs tests of one program, one after the other."""
    # The whole workspace, as the other tests are built: a package by itself would be built anew with other features.
    command = [
        "cargo", "test", "--locked", "--workspace", "--test", test, "--", "--nocapture", "--test-threads", "1", *filters,
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True)
    limit = threading.Timer(LIMIT_SECONDS, process.kill)
    limit.start()
    try:
        for line in process.stdout:  # type: ignore[union-attr]
            show(line)
        return process.wait() == 0
    finally:
        limit.cancel()
        process.kill()
        process.wait()


def show(line: str) -> None:
    """A figure as a line of its own, also where the test's name stands before it; everything else is progress."""
    before, mark, figure = line.partition("BENCH ")
    if not mark:
        print(line, end="", file=sys.stderr, flush=True)
        return
    if before.strip():
        print(before, file=sys.stderr)
    print(f"{mark}{figure}", end="", flush=True)
