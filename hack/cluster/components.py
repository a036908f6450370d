"""The processes of the cluster: for each its command, its configuration files, and how it says it is ready.

Pure: nothing here starts anything or writes a file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import pki
from settings import (
    ADMIN_KUBECONFIG,
    APISERVER_PORT,
    AUDIT_LOG,
    AUDITED_ACCOUNT,
    AUDITED_NAMESPACE,
    BIN,
    CONTAINERD_SOCKET,
    CONTROLLER_MANAGER_PORT,
    COREDNS_HEALTH_PORT,
    COREDNS_PORT,
    DNS_SERVICE_ADDRESS,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    HERE,
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    METRICS_SERVER_PORT,
    NODE_ADDRESS,
    NODE_NAME,
    POD_BRIDGE,
    POD_SUBNET,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
    RESOLV_CONF,
    SCHEDULER_PORT,
    SERVICE_RANGE,
    STATE,
)

CONFIG = STATE / "config"
CNI = CONFIG / "cni"
PAUSE_IMAGE = "localhost/faciliauto/pause:1"
BUSYBOX_IMAGE = "localhost/faciliauto/busybox:1"


@dataclass(frozen=True)
class Component:
    """A process: `ready` is a URL that answers 200 when it serves, or a socket that must exist."""

    name: str
    command: list[str]
    files: dict[Path, str] = field(default_factory=dict)
    ready: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def inputs(self) -> str:
        """Changes when a configuration file does, so that the process is started anew."""
        text = "".join(f"{path}\n{content}\n" for path, content in sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()


def flags(program: Path | str, settings: dict[str, object]) -> list[str]:
    return [str(program), *(f"--{name}={value}" for name, value in settings.items())]


def etcd() -> Component:
    return Component(
        "etcd",
        flags(
            BIN / "etcd",
            {
                "name": "local",
                "data-dir": STATE / "etcd",
                "listen-client-urls": f"https://127.0.0.1:{ETCD_CLIENT_PORT}",
                "advertise-client-urls": f"https://127.0.0.1:{ETCD_CLIENT_PORT}",
                "listen-peer-urls": f"http://127.0.0.1:{ETCD_PEER_PORT}",
                "initial-advertise-peer-urls": f"http://127.0.0.1:{ETCD_PEER_PORT}",
                "initial-cluster": f"local=http://127.0.0.1:{ETCD_PEER_PORT}",
                "cert-file": pki.certificate("etcd"),
                "key-file": pki.key("etcd"),
                "trusted-ca-file": pki.certificate("ca"),
                "client-cert-auth": "true",
                # A cluster for tests: losing the last seconds with the machine's power is fine.
                "unsafe-no-fsync": "true",
                "log-level": "warn",
            },
        ),
    )


def apiserver() -> Component:
    audit_policy = CONFIG / "audit-policy.yaml"
    return Component(
        "kube-apiserver",
        flags(
            BIN / "kube-apiserver",
            {
                "advertise-address": NODE_ADDRESS,
                "bind-address": NODE_ADDRESS,
                "secure-port": APISERVER_PORT,
                "etcd-servers": f"https://127.0.0.1:{ETCD_CLIENT_PORT}",
                "etcd-cafile": pki.certificate("ca"),
                "etcd-certfile": pki.certificate("apiserver-client"),
                "etcd-keyfile": pki.key("apiserver-client"),
                "service-cluster-ip-range": SERVICE_RANGE,
                "tls-cert-file": pki.certificate("apiserver"),
                "tls-private-key-file": pki.key("apiserver"),
                "client-ca-file": pki.certificate("ca"),
                "authorization-mode": "Node,RBAC",
                "enable-admission-plugins": "NodeRestriction,PodSecurity",
                "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
                "service-account-key-file": pki.PKI / "service-account.pub",
                "service-account-signing-key-file": pki.key("service-account"),
                "kubelet-client-certificate": pki.certificate("apiserver-client"),
                "kubelet-client-key": pki.key("apiserver-client"),
                # Otherwise logs and exec look the node's name up in DNS.
                "kubelet-preferred-address-types": "InternalIP",
                # metrics-server is reached at its endpoint: the API server has no route of its own to Services.
                "enable-aggregator-routing": "true",
                "requestheader-client-ca-file": pki.certificate("front-proxy-ca"),
                "requestheader-allowed-names": "front-proxy-client",
                "requestheader-extra-headers-prefix": "X-Remote-Extra-",
                "requestheader-group-headers": "X-Remote-Group",
                "requestheader-username-headers": "X-Remote-User",
                "proxy-client-cert-file": pki.certificate("front-proxy-client"),
                "proxy-client-key-file": pki.key("front-proxy-client"),
                "audit-policy-file": audit_policy,
                "audit-log-path": AUDIT_LOG,
                # Megabytes, and files: an idle operator writes about one a quarter of an hour.
                "audit-log-maxsize": 10,
                "audit-log-maxbackup": 2,
            },
        ),
        files={
            audit_policy: template("audit-policy.yaml", namespace=AUDITED_NAMESPACE, account=AUDITED_ACCOUNT),
        },
        ready=f"{pki.SERVER}/readyz",
    )


def controller_manager() -> Component:
    return Component(
        "kube-controller-manager",
        flags(
            BIN / "kube-controller-manager",
            {
                "kubeconfig": pki.kubeconfig("controller-manager"),
                "authentication-kubeconfig": pki.kubeconfig("controller-manager"),
                "authorization-kubeconfig": pki.kubeconfig("controller-manager"),
                "bind-address": "127.0.0.1",
                "secure-port": CONTROLLER_MANAGER_PORT,
                "cluster-cidr": POD_SUBNET,
                "service-cluster-ip-range": SERVICE_RANGE,
                "root-ca-file": pki.certificate("ca"),
                "service-account-private-key-file": pki.key("service-account"),
                "use-service-account-credentials": "true",
                "leader-elect": "false",
                "horizontal-pod-autoscaler-sync-period": "5s",
            },
        ),
    )


def scheduler() -> Component:
    return Component(
        "kube-scheduler",
        flags(
            BIN / "kube-scheduler",
            {
                "kubeconfig": pki.kubeconfig("scheduler"),
                "authentication-kubeconfig": pki.kubeconfig("scheduler"),
                "authorization-kubeconfig": pki.kubeconfig("scheduler"),
                "bind-address": "127.0.0.1",
                "secure-port": SCHEDULER_PORT,
                "leader-elect": "false",
            },
        ),
    )


def containerd() -> Component:
    config = CONFIG / "containerd.toml"
    network = {
        "cniVersion": "1.0.0",
        "name": "faciliauto",
        "plugins": [
            {
                "type": "bridge",
                "bridge": POD_BRIDGE,
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(STATE / "cni"),
                    "ranges": [[{"subnet": POD_SUBNET, "gateway": NODE_ADDRESS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    return Component(
        "containerd",
        ["containerd", "--config", str(config)],
        files={
            config: template(
                "containerd.toml",
                state=STATE,
                socket=CONTAINERD_SOCKET,
                pause_image=PAUSE_IMAGE,
                cni=CNI,
            ),
            CNI / "10-faciliauto.conflist": json.dumps(network, indent=2),
        },
        ready=f"unix:{CONTAINERD_SOCKET}",
        environment={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )


def kubelet() -> Component:
    config = CONFIG / "kubelet.yaml"
    return Component(
        "kubelet",
        flags(
            BIN / "kubelet",
            {
                "config": config,
                "kubeconfig": pki.kubeconfig("kubelet"),
                "hostname-override": NODE_NAME,
                "node-ip": NODE_ADDRESS,
                "root-dir": STATE / "kubelet",
                "cert-dir": STATE / "kubelet" / "pki",
            },
        ),
        files={
            config: template(
                "kubelet.yaml",
                address=NODE_ADDRESS,
                port=KUBELET_PORT,
                health_port=KUBELET_HEALTH_PORT,
                authority=pki.certificate("ca"),
                dns=DNS_SERVICE_ADDRESS,
                resolv_conf=RESOLV_CONF,
                socket=CONTAINERD_SOCKET,
                state=STATE,
            )
        },
        ready=f"http://127.0.0.1:{KUBELET_HEALTH_PORT}/healthz",
    )


def proxy() -> Component:
    config = CONFIG / "kube-proxy.yaml"
    return Component(
        "kube-proxy",
        flags(BIN / "kube-proxy", {"config": config, "hostname-override": NODE_NAME}),
        files={
            config: template(
                "kube-proxy.yaml",
                kubeconfig=pki.kubeconfig("proxy"),
                pod_subnet=POD_SUBNET,
                health_port=PROXY_HEALTH_PORT,
                metrics_port=PROXY_METRICS_PORT,
            )
        },
        ready=f"http://127.0.0.1:{PROXY_HEALTH_PORT}/healthz",
    )


def coredns() -> Component:
    config = CONFIG / "Corefile"
    return Component(
        "coredns",
        [str(BIN / "coredns"), "-conf", str(config)],
        files={
            config: template(
                "Corefile",
                address=NODE_ADDRESS,
                port=COREDNS_PORT,
                health_port=COREDNS_HEALTH_PORT,
                kubeconfig=ADMIN_KUBECONFIG,
            )
        },
        ready=f"http://127.0.0.1:{COREDNS_HEALTH_PORT}/health",
    )


def metrics_server() -> Component:
    return Component(
        "metrics-server",
        flags(
            BIN / "metrics-server",
            {
                "kubeconfig": ADMIN_KUBECONFIG,
                "authentication-kubeconfig": ADMIN_KUBECONFIG,
                "authorization-kubeconfig": ADMIN_KUBECONFIG,
                "bind-address": NODE_ADDRESS,
                "secure-port": METRICS_SERVER_PORT,
                "cert-dir": STATE / "metrics-server",
                "kubelet-insecure-tls": "true",
                "kubelet-preferred-address-types": "InternalIP",
                # The resolution must exceed the timeout, or it panics.
                "metric-resolution": "10s",
                "kubelet-request-timeout": "5s",
            },
        ),
    )


def volume_provisioner() -> Component:
    config = CONFIG / "local-path.json"
    helper = CONFIG / "local-path-helper.yaml"
    paths = {"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(STATE / "volumes")]}]}
    return Component(
        "local-path-provisioner",
        [
            *flags(BIN / "local-path-provisioner", {}),
            "start",
            *flags(
                "",
                {
                    "config": config,
                    "kubeconfig": ADMIN_KUBECONFIG,
                    "namespace": "local-path-storage",
                    "helper-image": BUSYBOX_IMAGE,
                    "helper-pod-file": helper,
                    "service-account-name": "default",
                    "provisioner-name": "rancher.io/local-path",
                    "configmap-name": "local-path-config",
                },
            )[1:],
        ],
        files={config: json.dumps(paths, indent=2), helper: template("local-path-helper.yaml", image=BUSYBOX_IMAGE)},
    )


def template(name: str, **values: object) -> str:
    """A file of `config/` with its `@name@` marks filled; an unknown or unfilled mark is a mistake here."""
    text = (HERE / "config" / name).read_text()
    for key, value in values.items():
        mark = f"@{key}@"
        assert mark in text, f"config/{name} has no {mark}"
        text = text.replace(mark, str(value))
    return text


def before_the_node() -> list[Component]:
    """What makes the node ready, in the order of starting."""
    return [
        containerd(),
        etcd(),
        apiserver(),
        controller_manager(),
        scheduler(),
        kubelet(),
        proxy(),
        coredns(),
    ]


def on_the_node() -> list[Component]:
    """What looks at the node as soon as it starts: metrics-server needs two looks, 10 s apart."""
    return [metrics_server(), volume_provisioner()]


def in_order() -> list[Component]:
    return [*before_the_node(), *on_the_node()]
