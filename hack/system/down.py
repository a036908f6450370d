"""`down`: the local cluster goes as a whole; on a given cluster, exactly what `up` brought goes."""

from __future__ import annotations

import os

from steps import step
from target import NAMESPACE, OPERATOR_NAMESPACE, REPOSITORY, Target, run_cluster_tool


def take_down() -> None:
    """Leaves nothing of ours behind."""
    if not os.environ.get("KUBECONFIG"):
        run_cluster_tool("down")
        return
    target = Target.find()
    with step("sample deployments and their volumes"):
        target.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=130)
    remove_install(target)


def remove_install(target: Target) -> None:
    """The operator, its roles, its namespace and the CRD, with every resource of that kind."""
    with step("operator, its roles and the CRD"):
        target.kubectl(
            "delete", "-k", str(REPOSITORY / "manifests" / "install"), "--ignore-not-found", "--timeout=120s",
            timeout=130,
        )  # fmt: skip
        target.kubectl("delete", "namespace", OPERATOR_NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=130)
