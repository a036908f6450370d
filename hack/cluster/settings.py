"""Every path, address, port and version of the local cluster, in one place."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

# What was built stays outside the checkout, so that the next clone starts warm.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "faciliauto"
# What runs: one folder that `down` removes whole.
STATE = Path("/var/lib/faciliauto-cluster")
LOGS = STATE / "logs"
PKI = STATE / "pki"
BIN = STATE / "bin"
ADMIN_KUBECONFIG = STATE / "admin.kubeconfig"
KUBECTL = BIN / "kubectl"
CONTAINERD_SOCKET = STATE / "containerd.sock"
RESOLV_CONF = STATE / "resolv.conf"
# Rotated files stand beside it, named kube-apiserver-audit-<time>.log.
AUDIT_LOG = LOGS / "kube-apiserver-audit.log"
# Whose requests are in it: namespace and name of a ServiceAccount of manifests/install.
AUDITED_NAMESPACE = "faciliauto-system"
AUDITED_ACCOUNT = "faciliauto-operator"

KUBERNETES_VERSION = "v1.37.2"
NODE_NAME = "local"

# The node's address is on a bridge of our own, so nothing depends on the machine's network. Pods get
# the rest of that subnet. Services need a route that stays on the machine, or packets to an address
# that kube-proxy has not programmed yet would leave by the default route.
POD_BRIDGE = "fad0"
SERVICE_BRIDGE = "fadsvc0"
NODE_ADDRESS = "10.244.0.1"
POD_SUBNET = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
KUBERNETES_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
NODE_MARKER_SUBNET = "10.244.0."

APISERVER_PORT = 6443
ETCD_CLIENT_PORT = 12379
ETCD_PEER_PORT = 12380
COREDNS_PORT = 1053
COREDNS_HEALTH_PORT = 18080
METRICS_SERVER_PORT = 14443
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248
PROXY_HEALTH_PORT = 10256
PROXY_METRICS_PORT = 10249
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259

PORTS = {
    APISERVER_PORT: "kube-apiserver",
    ETCD_CLIENT_PORT: "etcd",
    ETCD_PEER_PORT: "etcd",
    COREDNS_PORT: "CoreDNS",
    COREDNS_HEALTH_PORT: "CoreDNS",
    METRICS_SERVER_PORT: "metrics-server",
    KUBELET_PORT: "kubelet",
    KUBELET_HEALTH_PORT: "kubelet",
    PROXY_HEALTH_PORT: "kube-proxy",
    PROXY_METRICS_PORT: "kube-proxy",
    CONTROLLER_MANAGER_PORT: "kube-controller-manager",
    SCHEDULER_PORT: "kube-scheduler",
}
