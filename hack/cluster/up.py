"""`up`: build what is missing, start what is not running, wait until the cluster answers."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import base_images
import components
import network
import pki
import preflight
import processes
import toolchain
import traces
from components import Component
from errors import ClusterError
from settings import (
    ADMIN_KUBECONFIG,
    DNS_SERVICE_ADDRESS,
    HERE,
    KUBECTL,
    KUBERNETES_SERVICE_ADDRESS,
    KUBERNETES_VERSION,
    LOGS,
    NODE_NAME,
    PORTS,
    STATE,
)
from steps import run, step, wait_until

READY_SECONDS = 60
MANIFESTS = HERE / "manifests"


def bring_up() -> None:
    """Converges from whatever is there: nothing, everything, or what a crash has left."""
    began = time.monotonic()
    if is_up():
        # A node whose disk was full has deleted the images that no container used.
        base_images.load()
        print(f"the cluster is up: Kubernetes {KUBERNETES_VERSION}, kubeconfig {ADMIN_KUBECONFIG}")
        return
    preflight.check(toolchain.is_cold(), ours=our_ports())
    toolchain.install_packages()
    toolchain.build_programs()
    with step("certificates and network"):
        STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
        traces.note()
        pki.make()
        network.make()
    for component in components.before_the_node():
        start(component)
        if component.name == "containerd":
            wait_ready(component)
            base_images.load()
        if component.name == "kube-apiserver":
            with step("API server ready"):
                wait_ready(component)
                apply_manifests()
    with step("node ready"):
        wait_until("the node becoming ready", READY_SECONDS, node_is_ready, f"see {LOGS}/kubelet.log")
    for component in components.on_the_node():
        start(component)
    with step("DNS answers"):
        wait_until("DNS answering through its Service", READY_SECONDS, dns_answers, f"see {LOGS}/coredns.log")
    with step("metrics answer"):
        wait_until("node metrics", READY_SECONDS, metrics_answer, f"see {LOGS}/metrics-server.log")
    for component in components.in_order():
        if processes.running(component.name) is None:
            raise ClusterError(f"{component.name} has ended: see {LOGS}/{component.name}.log, then run it again")
    print(f"the cluster is up after {time.monotonic() - began:.1f} s: kubeconfig {ADMIN_KUBECONFIG}")


def is_up() -> bool:
    """Every process is the one we would start, and the cluster answers."""
    if not ADMIN_KUBECONFIG.exists() or toolchain.is_cold():
        return False
    for component in components.in_order():
        record = processes.running(component.name)
        if record is None or (record.command, record.inputs) != (component.command, component.inputs()):
            return False
    return node_is_ready() and dns_answers() and metrics_answer()


def our_ports() -> set[int]:
    """The ports that belong to components of ours that are alive."""
    alive = {component.name for component in components.in_order() if processes.running(component.name)}
    return {port for port, name in PORTS.items() if name.lower() in alive}


def start(component: Component) -> None:
    """Writes a component's files and starts it, unless it runs with the same ones."""
    for path, text in component.files.items():
        # Only when it differs: kube-proxy ends itself when its file is written, even with the same text.
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if processes.start(component.name, component.command, component.inputs(), component.environment):
        print(f"==> start {component.name}", flush=True)


def wait_ready(component: Component) -> None:
    """Until the component serves, or a clear line when its process has ended."""

    def look() -> bool:
        if processes.running(component.name) is None:
            raise ClusterError(f"{component.name} has ended: its last words are in {LOGS}/{component.name}.log")
        if component.ready.startswith("unix:"):
            return accepts(component.ready.removeprefix("unix:"))
        return answers(component.ready)

    wait_until(f"{component.name} becoming ready", READY_SECONDS, look, f"see {LOGS}/{component.name}.log")


def accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def answers(url: str) -> bool:
    """True when the URL answers 200, by the cluster's own authority and the admin's certificate."""
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
        context.load_cert_chain(pki.certificate("admin"), pki.key("admin"))
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def kubectl(*arguments: str | Path, stdin: str | None = None) -> str:
    return run(KUBECTL, "--kubeconfig", ADMIN_KUBECONFIG, "--request-timeout=15s", *arguments, stdin=stdin)


def apply_manifests() -> None:
    """DNS, metrics and storage; the API server may still be making its own first objects."""

    refusals = []

    def applied() -> bool:
        try:
            kubectl("apply", "--server-side", "--force-conflicts", "-f", MANIFESTS)
        except ClusterError as error:
            refusals.append(str(error))
            return False
        return True

    try:
        wait_until("applying hack/cluster/manifests", READY_SECONDS, applied)
    except ClusterError as error:
        raise ClusterError(f"{error}: {refusals[-1]}") from None


def node_is_ready() -> bool:
    node = read("node", NODE_NAME)
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in (node or {}).get("status", {}).get("conditions", [])
    )


def read(*arguments: str) -> dict | None:
    """One object, or None while it is not there or the server does not answer."""
    try:
        text = kubectl("get", *arguments, "--ignore-not-found", "-o", "json")
    except ClusterError:
        return None
    return json.loads(text) if text.strip() else None


def dns_answers() -> bool:
    """Asks the Service's address, as a pod would, for the API server's address."""
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    for label in ("kubernetes", "default", "svc", "cluster", "local"):
        question += bytes([len(label)]) + label.encode()
    question += b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.sendto(question, (DNS_SERVICE_ADDRESS, 53))
            answer = probe.recv(512)
        except OSError:
            return False
    return answer.endswith(socket.inet_aton(KUBERNETES_SERVICE_ADDRESS))


def metrics_answer() -> bool:
    done = subprocess.run(
        [KUBECTL, "--kubeconfig", ADMIN_KUBECONFIG, "get", "--raw", f"/apis/metrics.k8s.io/v1beta1/nodes/{NODE_NAME}"],
        capture_output=True, check=False, timeout=20,
    )  # fmt: skip
    return done.returncode == 0
