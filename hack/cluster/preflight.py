"""What must be true before anything is touched: one clear line each, with what to do."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from errors import ClusterError
from settings import CACHE, PORTS, STATE

GO_NEEDED = (1, 26)
# Sources, build cache and binaries of Kubernetes and the rest; afterwards images and volumes only.
COLD_GIBIBYTES = 10
WARM_GIBIBYTES = 2
PORT_SECONDS = 2


def check(cold: bool, ours: set[int]) -> None:
    """Raises at the first thing that is missing.

    `cold` tells whether anything has to be built; `ours` are the ports that our own processes hold.
    """
    check_system(platform.system(), os.geteuid(), shutil.which("apt-get"))
    if cold:
        check_go(shutil.which("go"))
    check_space(free_gibibytes(CACHE), COLD_GIBIBYTES if cold else WARM_GIBIBYTES, CACHE)
    check_space(free_gibibytes(STATE), WARM_GIBIBYTES, STATE)
    check_ports(ours)


def check_system(system: str, user: int, apt_get: str | None) -> None:
    """Linux with Debian's packages, as root."""
    if system != "Linux" or apt_get is None:
        raise ClusterError(
            "the local cluster needs Debian or Ubuntu: elsewhere set KUBECONFIG to a cluster of yours, "
            "or use `make run` for the service alone"
        )
    if user != 0:
        raise ClusterError("the local cluster needs root (namespaces, mounts, nftables): run it with sudo")


def check_go(go: str | None) -> None:
    """A Go that can build Kubernetes."""
    wanted = ".".join(map(str, GO_NEEDED))
    if go is None:
        raise ClusterError(f"Go is not on the PATH: install Go {wanted} or newer; programs are built from source")
    said = subprocess.run([go, "version"], text=True, capture_output=True, check=False).stdout
    check_go_version(said)


def check_go_version(said: str) -> None:
    """`said` is what `go version` printed."""
    wanted = ".".join(map(str, GO_NEEDED))
    found = re.search(r"go(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < GO_NEEDED:
        raise ClusterError(f"Go {wanted} or newer is needed to build programs; found: {said.strip() or 'nothing'}")


def free_gibibytes(path: Path) -> float:
    """Free space on the file system that holds `path` or the nearest folder above that exists."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / 2**30


def check_space(free: float, needed: float, path: Path) -> None:
    if free < needed:
        raise ClusterError(f"{free:.1f} GiB free at {path}, {needed} GiB needed: make room and run it again")


def check_ports(ours: set[int]) -> None:
    """Every port free on all addresses, or held by a process of ours.

    The kernel closes the ports of a killed process a moment after the process has gone.
    """
    deadline = time.monotonic() + PORT_SECONDS
    for port, component in PORTS.items():
        while port not in ours and is_taken(port):
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise ClusterError(
                f"port {port} ({component}) is in use by another program: end it "
                f"(`ss -ltnp 'sport = :{port}'` names it) and run it again"
            )


def is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return True
    return False
