"""Certificates and kubeconfigs, made once per cluster with openssl.

One authority signs everything but the front proxy's client certificate, which the API server trusts
for another purpose and so has an authority of its own.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from settings import (
    ADMIN_KUBECONFIG,
    APISERVER_PORT,
    KUBERNETES_SERVICE_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    PKI,
)
from steps import run

DAYS = "3650"
SERVER = f"https://{NODE_ADDRESS}:{APISERVER_PORT}"


@dataclass(frozen=True)
class Identity:
    """A certificate: file name, subject, and the names it serves under, if it serves."""

    name: str
    common_name: str
    organization: str = ""
    served_as: str = ""
    authority: str = "ca"


IDENTITIES = [
    Identity(
        "apiserver",
        "kube-apiserver",
        served_as=f"IP:{NODE_ADDRESS},IP:{KUBERNETES_SERVICE_ADDRESS},IP:127.0.0.1,DNS:localhost,DNS:kubernetes,"
        "DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local",
    ),
    Identity("apiserver-client", "kube-apiserver-client", "system:masters"),
    Identity("etcd", "etcd", served_as="IP:127.0.0.1,DNS:localhost"),
    Identity("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
    Identity("admin", "admin", "system:masters"),
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("proxy", "system:kube-proxy", "system:node-proxier"),
    Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes"),
]
# Who gets a kubeconfig; CoreDNS, metrics-server and the volume provisioner run as the admin does.
KUBECONFIGS = ["controller-manager", "scheduler", "proxy", "kubelet"]


def make() -> None:
    """Makes what is missing, each file complete or absent."""
    PKI.mkdir(parents=True, exist_ok=True, mode=0o700)
    PKI.chmod(0o700)
    for authority in ("ca", "front-proxy-ca"):
        if not certificate(authority).exists():
            new_key(authority)
            run(
                "openssl", "req", "-x509", "-new", "-key", key(authority), "-subj", f"/CN=faciliauto-{authority}",
                "-days", DAYS, "-out", certificate(authority),
            )  # fmt: skip
    if not key("service-account").exists():
        new_key("service-account")
    public = PKI / "service-account.pub"
    if not public.exists():
        run("openssl", "pkey", "-in", key("service-account"), "-pubout", "-out", public)
    for identity in IDENTITIES:
        if not certificate(identity.name).exists():
            sign(identity)
    for name in KUBECONFIGS:
        write_kubeconfig(name, kubeconfig(name))
    write_kubeconfig("admin", ADMIN_KUBECONFIG)


def certificate(name: str) -> Path:
    return PKI / f"{name}.crt"


def key(name: str) -> Path:
    return PKI / f"{name}.key"


def kubeconfig(name: str) -> Path:
    return PKI / f"{name}.kubeconfig"


def new_key(name: str) -> None:
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key(name))
    key(name).chmod(0o600)


def sign(identity: Identity) -> None:
    """A key and a certificate for `identity`; the certificate comes last and so marks both as there."""
    new_key(identity.name)
    subject = (f"/O={identity.organization}" if identity.organization else "") + f"/CN={identity.common_name}"
    request = run("openssl", "req", "-new", "-key", key(identity.name), "-subj", subject)
    extensions = PKI / f"{identity.name}.ext"
    lines = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
    if identity.served_as:
        lines.append(f"subjectAltName={identity.served_as}")
    extensions.write_text("\n".join(lines) + "\n")
    signed = run(
        "openssl", "x509", "-req", "-CA", certificate(identity.authority), "-CAkey", key(identity.authority),
        "-CAcreateserial", "-days", DAYS, "-extfile", extensions, stdin=request,
    )  # fmt: skip
    certificate(identity.name).write_text(signed)
    extensions.unlink()


def write_kubeconfig(name: str, path: Path) -> None:
    """A kubeconfig with everything embedded, readable by root only."""
    if path.exists():
        return
    unfinished = path.with_suffix(".new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(
        f"""apiVersion: v1
kind: Config
clusters:
- name: faciliauto-local
  cluster:
    server: {SERVER}
    certificate-authority-data: {encoded(certificate("ca"))}
contexts:
- name: faciliauto-local
  context: {{cluster: faciliauto-local, user: {name}}}
current-context: faciliauto-local
users:
- name: {name}
  user:
    client-certificate-data: {encoded(certificate(name))}
    client-key-data: {encoded(key(name))}
"""
    )
    unfinished.rename(path)


def encoded(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()
