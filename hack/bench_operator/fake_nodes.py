"""Nodes whose pods nobody runs: kwok says of each pod what a kubelet would."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steps import step, wait_for
from target import Target, TargetError

import resources

STAGES = Path(__file__).resolve().parent / "stages.yaml"
READY_SECONDS = 60
# Addresses set aside for benchmarks (RFC 2544): no pod or machine has one, and nobody answers at them.
POD_ADDRESSES = "198.18.0.0/16"
NODE_ADDRESS = "198.19.0.1"
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@contextmanager
def fake_nodes(target: Target, kwok: str) -> Iterator[None]:
    """Ready nodes for as long as the block runs; what was made for them is removed by `cleaning`."""
    with tempfile.TemporaryDirectory(prefix="faciliauto-kwok-") as folder, (Path(folder) / "log").open("w") as log:
        process = subprocess.Popen(
            [
                kwok,
                f"--kubeconfig={target.kubeconfig}",
                f"--config={STAGES}",
                # The real node keeps its own kubelet.
                "--manage-all-nodes=false",
                f"--manage-nodes-with-annotation-selector={resources.FAKE_ANNOTATION}=fake",
                f"--cidr={POD_ADDRESSES}",
                f"--node-ip={NODE_ADDRESS}",
                # As a kubelet's: without it nodes are given up for dead within a minute.
                "--node-lease-duration-seconds=40",
                # It plays no kubelet's API: nothing to listen on.
                "--node-port=0",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
        try:
            with step(f"{resources.FAKE_NODES} fake nodes"):
                apply(target, resources.nodes())
                wait_for("the fake nodes becoming ready", READY_SECONDS, lambda: look(target, process, Path(log.name)))
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def end_with_parent() -> None:
    """Runs in the child: even when this program is killed, kwok does not stay."""
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGTERM)


def look(target: Target, process: subprocess.Popen, log: Path) -> tuple[bool, str]:
    if process.poll() is not None:
        raise TargetError(f"kwok has ended: {' / '.join(log.read_text().splitlines()[-3:])}")
    nodes = json.loads(target.kubectl("get", "nodes", "-l", f"{resources.FAKE_LABEL}=true", "-o", "json"))["items"]
    ready = sum(
        condition["type"] == "Ready" and condition["status"] == "True"
        for node in nodes
        for condition in node.get("status", {}).get("conditions", [])
    )
    return ready == resources.FAKE_NODES, f"{ready} of {resources.FAKE_NODES} ready"


def apply(target: Target, objects: list[dict]) -> None:
    listed = json.dumps(resources.listed(objects))
    target.kubectl("apply", "--server-side", "-f", "-", stdin=listed)
