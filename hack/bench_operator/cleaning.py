"""Takes away everything that the benchmark makes on the cluster; safe to repeat, and after a run that was killed."""

from __future__ import annotations

from steps import step
from target import Target, TargetError

import resources

NAMESPACES = [resources.ONE_NAMESPACE, resources.FLEET_NAMESPACE]
GONE_SECONDS = 180


def clean(target: Target) -> None:
    with step("remove what the benchmark made"):
        remove_broken_kind(target)
        target.kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found", "--wait=false")
        # Where no kwok runs any more, nobody else says that a pod of a fake node has gone.
        target.kubectl(
            "-n", resources.FLEET_NAMESPACE, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false"
        )  # fmt: skip
        remove(target, "namespace", *NAMESPACES)
        for kind in ("persistentvolume", "storageclass", "node"):
            remove(target, kind, "-l", f"{resources.FAKE_LABEL}=true")


def remove_broken_kind(target: Target) -> None:
    """The object first, in the version in which it is stored: no other can be read."""
    definition = resources.broken_kind()["metadata"]["name"]
    made = target.read("customresourcedefinition", definition)
    if made is None or resources.FAKE_LABEL not in made["metadata"].get("labels", {}):
        return
    stored = f"{resources.BROKEN_PLURAL}.{resources.STORED_VERSION}.{resources.BROKEN_GROUP}"
    remove(target, stored, "-n", resources.FLEET_NAMESPACE, resources.stored_route()["metadata"]["name"])
    remove(target, "customresourcedefinition", definition)


def remove(target: Target, *what: str) -> None:
    seconds = f"--timeout={GONE_SECONDS}s"
    target.kubectl("delete", *what, "--ignore-not-found", seconds, timeout=GONE_SECONDS + 10)


def refuse_company(target: Target) -> None:
    """Requests about other people's resources would be counted too."""
    found = target.kubectl(
        "get", "faciliautodeployments", "-A", "--no-headers",
        "-o", "custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name",
    )  # fmt: skip
    others = ["/".join(line.split()) for line in found.splitlines() if line.strip()]
    if others:
        raise TargetError(
            f"other FaciliAutoDeployments are on this cluster and would be counted too: {', '.join(others)};"
            " delete them first"
        )
