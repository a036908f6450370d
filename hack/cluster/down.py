"""`down`: end what we started, by recorded pid, and remove every trace of it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import components
import network
import processes
import traces
from errors import ClusterError
from settings import CONTAINERD_SOCKET, STATE
from steps import run, step, wait_until

CGROUPS = Path("/sys/fs/cgroup")
# The kubelet's own folder for pods in each hierarchy.
POD_CGROUP = "kubepods"
# Nothing of what they would save at leisure outlives the next step.
GRACE_SECONDS = 1


def take_down() -> None:
    """Leaves no process, mount, namespace, link, table, cgroup or folder of ours."""
    if not STATE.exists():
        print("the cluster is down")
        return
    with step("processes"):
        # The kubelet first, or it would start again what is ended here.
        for component in sorted(components.in_order(), key=lambda component: component.name != "kubelet"):
            if component.name != "containerd":
                processes.stop(component.name, GRACE_SECONDS)
        end_containers()
        processes.stop("containerd")
    with step("network"):
        network.remove()
    with step("mounts, cgroups and state"):
        unmount()
        remove_cgroups()
        for folder in traces.made_since():
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(STATE)
    print("the cluster is down; what was built stays in the cache for the next time")


def end_containers() -> None:
    """Kills every process in the pods' cgroups, then the shims of our own containerd."""
    wait_until("the pods' processes ending", 20, lambda: not kill(pod_processes()))
    wait_until("the container shims ending", 20, lambda: not kill(shims()))


def kill(pids: list[int]) -> bool:
    """Sends SIGKILL to each; True when there was any."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if pids:
        time.sleep(0.1)
    return bool(pids)


def pod_cgroups() -> list[Path]:
    """Each hierarchy's folder of pods; one hierarchy on cgroup v2."""
    return [path for path in (CGROUPS / POD_CGROUP, *CGROUPS.glob(f"*/{POD_CGROUP}")) if path.is_dir()]


def pod_processes() -> list[int]:
    pids: set[int] = set()
    for root in pod_cgroups():
        for file in root.rglob("cgroup.procs"):
            try:
                pids.update(int(pid) for pid in file.read_text().split())
            except OSError:
                continue
    return sorted(pids)


def shims() -> list[int]:
    """The shims that serve our containerd, known by the socket in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"containerd-shim" in words[0] and str(CONTAINERD_SOCKET).encode() in words:
                found.append(int(folder.name))
    return found


def unmount() -> None:
    """Everything mounted under the state folder, deepest first."""
    for target in reversed(mounts_below(STATE)):
        run("umount", "--lazy", target)
    left = mounts_below(STATE)
    if left:
        raise ClusterError(f"still mounted: {' '.join(left)}; run `make cluster-down` again")


def mounts_below(folder: Path) -> list[str]:
    mounted = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = line.split(" ")[4].encode().decode("unicode_escape")
        if target == str(folder) or target.startswith(f"{folder}/"):
            mounted.append(target)
    return sorted(mounted)


def remove_cgroups() -> None:
    for root in pod_cgroups():
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            remove_empty(folder)
        remove_empty(root)


def remove_empty(folder: Path) -> None:
    """A cgroup can be busy for a moment after its last process has gone."""
    deadline = time.monotonic() + 5
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise ClusterError(f"{folder} is busy: run `make cluster-down` again") from None
            time.sleep(0.05)

