"""Links, routes and kernel settings: made when missing, and put back as they were."""

from __future__ import annotations

import json
from pathlib import Path

from errors import ClusterError
from settings import (
    NODE_ADDRESS,
    NODE_MARKER_SUBNET,
    POD_BRIDGE,
    RESOLV_CONF,
    SERVICE_BRIDGE,
    SERVICE_RANGE,
    STATE,
)
from steps import run

# Bridged packets must pass netfilter, or the answer of one pod to another by way of a Service comes
# back under the wrong address.
SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}
BEFORE = STATE / "sysctl.json"
# kube-proxy's own tables, and nobody else's.
NFT_TABLES = [("ip", "kube-proxy"), ("ip6", "kube-proxy")]


def make() -> None:
    """Everything the node and the Service range need. Safe to repeat."""
    if not BEFORE.exists():
        BEFORE.write_text(json.dumps({name: read_setting(name) for name in SETTINGS}))
    for name, value in SETTINGS.items():
        if read_setting(name) not in ("", value):
            setting(name).write_text(value)
    if not link_exists(POD_BRIDGE):
        run("ip", "link", "add", POD_BRIDGE, "type", "bridge")
    run("ip", "address", "replace", f"{NODE_ADDRESS}/24", "dev", POD_BRIDGE)
    run("ip", "link", "set", POD_BRIDGE, "up")
    if not link_exists(SERVICE_BRIDGE):
        run("ip", "link", "add", SERVICE_BRIDGE, "type", "bridge")
    run("ip", "link", "set", SERVICE_BRIDGE, "up")
    run("ip", "route", "replace", SERVICE_RANGE, "dev", SERVICE_BRIDGE)
    # Pods must not inherit the machine's resolver: CoreDNS answers for the cluster and for nothing else.
    RESOLV_CONF.write_text("# no upstream: the cluster's own names only\n")


def remove() -> None:
    """Takes away what `make` and the pods' networking left."""
    for namespace in pod_namespaces():
        run("ip", "netns", "delete", namespace)
    for link in (POD_BRIDGE, SERVICE_BRIDGE):
        if link_exists(link):
            run("ip", "link", "delete", link)
    present = run("nft", "list", "tables")
    for family, table in NFT_TABLES:
        if f"table {family} {table}\n" in present:
            run("nft", "delete", "table", family, table)
    if BEFORE.exists():
        for name, value in json.loads(BEFORE.read_text()).items():
            if value and read_setting(name) != value:
                setting(name).write_text(value)


def pod_namespaces() -> list[str]:
    """Network namespaces of our pods: the CNI's names, with an address of our pod subnet inside.

    One whose inside cannot be read is left alone.
    """
    folder = Path("/run/netns")
    ours = []
    for namespace in sorted(folder.glob("cni-*")) if folder.is_dir() else []:
        try:
            inside = run("ip", "-n", namespace.name, "-4", "-o", "address")
        except ClusterError:  # a stale mount point: not provably ours
            continue
        if f" {NODE_MARKER_SUBNET}" in inside:
            ours.append(namespace.name)
    return ours


def link_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def setting(name: str) -> Path:
    return Path("/proc/sys", name)


def read_setting(name: str) -> str:
    """The value, or an empty string where this kernel has no such setting."""
    return setting(name).read_text().strip() if setting(name).exists() else ""
