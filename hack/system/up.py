"""`up`: cluster, images, operator, a sample deployment, and the first recommendation."""

from __future__ import annotations

import json
import os
import shutil

from showcase import print_next_steps, print_recommendation
from steps import step, wait_for
from target import (
    LOCAL_REDIS_IMAGE,
    NAMESPACE,
    OPERATOR_NAMESPACE,
    REPOSITORY,
    RESOURCE,
    Target,
    TargetError,
    cluster_tool,
    run_cluster_tool,
)

MANIFESTS = REPOSITORY / "manifests"
OPERATOR_READY_SECONDS = 120
SYSTEM_READY_SECONDS = 300


def bring_up() -> None:
    """Converges: every step looks first, so a second run while up changes nothing."""
    check_rust()
    run_cluster_tool("up")
    load_images()
    target = Target.find()
    install_operator(target)
    with step(f"sample deployment {NAMESPACE}/{RESOURCE}"):
        apply_sample(target)
        wait_for("the sample deployment becoming ready", SYSTEM_READY_SECONDS, lambda: look_at_resource(target))
    print()
    print(target.kubectl("-n", NAMESPACE, "get", "fad"))
    print_recommendation(target)
    print_next_steps(target)


def check_rust() -> None:
    """Said at once, and not after the minutes that a cluster takes to build."""
    if shutil.which("cargo") is None and not os.environ.get("KUBECONFIG"):
        raise TargetError("cargo is not on the PATH: install Rust 1.90 or newer (https://rustup.rs)")


def load_images() -> None:
    """Both programs' images on the local node; on a given cluster, what to push is only told."""
    run_cluster_tool("images")


def install_operator(target: Target) -> None:
    """Applies `manifests/install` and waits until the running operator is the one just built."""
    with step("operator: CRD, RBAC, Deployment"):
        apply_install(target)


def apply_install(target: Target) -> None:
    target.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(MANIFESTS / "install"))
    restart_outdated(target, OPERATOR_NAMESPACE, "faciliauto-operator")
    target.kubectl(
        "-n", OPERATOR_NAMESPACE, "rollout", "status", "deployment/faciliauto-operator",
        f"--timeout={OPERATOR_READY_SECONDS}s", timeout=OPERATOR_READY_SECONDS + 10,
    )  # fmt: skip
    target.kubectl(
        "wait", "--for=condition=Established", "crd/faciliautodeployments.faciliauto.com", "--timeout=30s"
    )


def apply_sample(target: Target) -> None:
    """The minimal sample in a namespace that enforces the restricted pod security standard."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    target.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(namespace))
    sample = (MANIFESTS / "samples" / "minimal.yaml").read_text()
    if target.local:
        change = {"spec": {"redis": {"managed": {"image": LOCAL_REDIS_IMAGE}}}}
        sample = target.kubectl(
            "patch", "--local", "-f", "-", "--type=merge", "-p", json.dumps(change), "-o", "json", stdin=sample
        )
    target.kubectl("apply", "--server-side", "-f", "-", stdin=sample)
    restart_outdated(target, NAMESPACE, RESOURCE)


def restart_outdated(target: Target, namespace: str, deployment: str) -> None:
    """Restarts a Deployment whose pods run an older build of the tag it names.

    A local build keeps its tag, so nothing in the Deployment changes with it. But a running container
    reports the id of the image that it was started from, and `hack/cluster` knows what the tag means now.
    """
    if not target.local or (found := target.read("deployment", deployment, "-n", namespace)) is None:
        return
    selector = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())
    pods = json.loads(target.kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "json"))["items"]
    current = set(json.loads(cluster_tool("image-ids")).values())
    running = {
        status["imageID"].rsplit("@", 1)[-1].rsplit("/", 1)[-1]
        for pod in pods
        for status in pod["status"].get("containerStatuses", [])
        if status.get("imageID")
    }
    if running and not running <= current:
        print(f"    {deployment}: a newer build is loaded, restarting", flush=True)
        target.kubectl("-n", namespace, "rollout", "restart", f"deployment/{deployment}")


def look_at_resource(target: Target, namespace: str = NAMESPACE, name: str = RESOURCE) -> tuple[bool, str]:
    """(ready and seeded at the current generation, a line that says where it stands)."""
    resource = target.read("fad", name, "-n", namespace)
    if resource is None:
        return False, "not there yet"
    status = resource.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    observed = status.get("observedGeneration") == resource["metadata"]["generation"]
    seeded = status.get("stock", {}).get("seeded", False)
    done = observed and ready.get("status") == "True" and seeded
    words = [
        f"Ready={ready.get('status', 'Unknown')}",
        ready.get("reason", ""),
        f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)} API pods",
        "stock imported" if seeded else "stock not imported yet",
        "" if done else ready.get("message", ""),
    ]
    return done, " · ".join(word for word in words if word)
