"""`test`: the cluster tests against the operator as users install it, on the local or the given cluster."""

from __future__ import annotations

import os
import subprocess

from steps import step
from target import LOCAL_MIRROR, LOCAL_REDIS_IMAGE, REPOSITORY, Target, TargetError, cluster_tool
from temporary import temporary_system

# A whole system comes up in each of some forty tests. Most of their time is waiting for the cluster: with four side by
# side, four fifths of two processors are idle.
LIMIT_SECONDS = 2400
SIDE_BY_SIDE = 8


def run_cluster_tests() -> None:
    """Brings up what is missing, runs the tests, and takes away exactly what it brought."""
    with temporary_system() as target:
        cargo_test(target)


def cargo_test(target: Target) -> None:
    """Runs the tests; their own output is the report."""
    environment = {**os.environ, "KUBECONFIG": target.kubeconfig, "FACILIAUTO_TEST_KUBECTL": target.kubectl_path}
    if target.local:
        environment["FACILIAUTO_TEST_REDIS_IMAGE"] = LOCAL_REDIS_IMAGE
        environment["FACILIAUTO_TEST_MIRROR"] = LOCAL_MIRROR
        with step("a server for S3, built once"):
            # Tests start it at the address of the node, which is this machine.
            environment["FACILIAUTO_TEST_S3_SERVER"] = cluster_tool("versitygw")
    # The whole workspace, as the other tests are built: a package by itself would be built anew with other features.
    command = [
        "cargo", "test", "--locked", "--workspace", "--test", "cluster", "--", "--test-threads", str(SIDE_BY_SIDE),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise TargetError(f"the cluster tests did not end within {LIMIT_SECONDS} s") from None
    if done.returncode != 0:
        raise TargetError("cluster tests failed: each says above what it last saw")
