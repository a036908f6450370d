"""`test`: the cluster tests against the operator as users install it, on the local or the given cluster."""

from __future__ import annotations

import os
import subprocess

from target import LOCAL_REDIS_IMAGE, OPERATOR_NAMESPACE, REPOSITORY, Target, TargetError, cluster_tool, run_cluster_tool
from down import remove_install
from up import install_operator, load_images

# A whole system comes up in each of a handful of tests, some of them side by side.
LIMIT_SECONDS = 1500


def run_cluster_tests() -> None:
    """Brings up what is missing, runs the tests, and takes away exactly what it brought."""
    local = not os.environ.get("KUBECONFIG")
    was_up = local and is_up()
    run_cluster_tool("up")
    try:
        load_images()
        target = Target.find()
        was_installed = target.read("namespace", OPERATOR_NAMESPACE) is not None
        install_operator(target)
        try:
            cargo_test(target)
        finally:
            if not was_installed and (was_up or not local):
                remove_install(target)
    finally:
        if local and not was_up:
            run_cluster_tool("down")


def is_up() -> bool:
    """Whether the local cluster runs before anything is done to it."""
    return "running" in cluster_tool("status")


def cargo_test(target: Target) -> None:
    """Runs the tests; their own output is the report."""
    environment = {**os.environ, "KUBECONFIG": target.kubeconfig}
    if target.local:
        environment["FACILIAUTO_TEST_REDIS_IMAGE"] = LOCAL_REDIS_IMAGE
    command = ["cargo", "test", "--locked", "-p", "faciliauto-operator", "--test", "cluster"]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise TargetError(f"the cluster tests did not end within {LIMIT_SECONDS} s") from None
    if done.returncode != 0:
        raise TargetError("cluster tests failed: each says above what it last saw")
