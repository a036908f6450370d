"""What the cluster is made of: Debian packages, and Go programs built from pinned modules.

Each folder under `go/` is a module that pins its programs by `go.sum`. Its binaries are kept in the
cache under a key made of those files, so a clone on a machine that has built them starts at once.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from settings import BIN, CACHE, HERE, KUBERNETES_VERSION
from steps import run_long, step

# Package -> a file that tells that it is there.
PACKAGES = {
    "buildah": "/usr/bin/buildah",
    "busybox-static": "/bin/busybox",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
    "catatonit": "/usr/bin/catatonit",
    "conntrack": "/usr/sbin/conntrack",
    "containerd": "/usr/bin/containerd",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iproute2": "/usr/sbin/ip",
    "nftables": "/usr/sbin/nft",
    "openssl": "/usr/bin/openssl",
    "redis-server": "/usr/bin/redis-server",
    "runc": "/usr/sbin/runc",
}
# Debian starts what it installs; a file of this name, with this answer, keeps it from doing so.
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_DENY = "#!/bin/sh\nexit 101\n"


@dataclass(frozen=True)
class Module:
    """A Go module of ours and the programs built from it: name of the binary -> package."""

    name: str
    programs: dict[str, str]
    flags: str = "-s -w"

    @property
    def folder(self) -> Path:
        return HERE / "go" / self.name

    def key(self) -> str:
        """Changes with the module's files, the flags and the list of programs; with nothing else."""
        digest = hashlib.sha256(f"{self.flags}\n{sorted(self.programs.items())}\n".encode())
        for name in ("go.mod", "go.sum"):
            digest.update((self.folder / name).read_bytes())
        return digest.hexdigest()[:16]

    def cache(self) -> Path:
        return CACHE / "cluster" / f"{self.name}-{self.key()}"

    def missing(self) -> list[str]:
        return [program for program in self.programs if not (self.cache() / program).is_file()]


MODULES = [
    Module(
        "kubernetes",
        {
            **{
                program: f"k8s.io/kubernetes/cmd/{program}"
                for program in (
                    "kube-apiserver",
                    "kube-controller-manager",
                    "kube-proxy",
                    "kube-scheduler",
                    "kubectl",
                    "kubelet",
                )
            },
            "etcd": "go.etcd.io/etcd/server/v3",
        },
        # Without it the server calls itself v0.0.0 and clients think it ancient.
        flags=f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
    ),
    Module("coredns", {"coredns": "github.com/coredns/coredns"}),
    Module("metrics-server", {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"}),
    Module("local-path-provisioner", {"local-path-provisioner": "github.com/rancher/local-path-provisioner"}),
]
# Fake nodes and pods; no cluster needs it, so it is built when somebody asks for it.
KWOK = Module("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"})
# Storage that speaks S3, for tests of backups: the same.
VERSITYGW = Module("versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"})


def is_cold() -> bool:
    """True when a program has to be built first."""
    return any(module.missing() for module in MODULES)


def install_packages() -> None:
    """Installs the Debian packages that are missing, and starts none of their services."""
    missing = [package for package, file in PACKAGES.items() if not Path(file).exists()]
    if not missing:
        return
    with step(f"Debian packages: {' '.join(missing)}"):
        ours = not POLICY.exists()
        if ours:
            POLICY.write_text(POLICY_DENY)
            POLICY.chmod(0o755)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        log = CACHE / "logs" / "apt.log"
        try:
            run_long("apt-get update", ["apt-get", "update"], log, environment, Path("/"))
            run_long("apt-get install", install, log, environment, Path("/"))
        finally:
            if ours:
                POLICY.unlink(missing_ok=True)


def build_missing(module: Module) -> None:
    """Builds what the cache lacks of a module, one program at a time."""
    for program in module.missing():
        with step(f"build {program} (once; kept in {module.cache()})"):
            build(module, program)


def build_programs() -> None:
    """Builds what the cache lacks, and links all of it into the state's `bin`."""
    for module in MODULES:
        build_missing(module)
    BIN.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        for program in module.programs:
            link = BIN / program
            target = module.cache() / program
            if not link.is_symlink() or link.readlink() != target:
                link.unlink(missing_ok=True)
                link.symlink_to(target)


def build(module: Module, program: str) -> None:
    """Builds into a temporary name and renames: an interrupted build leaves nothing that looks whole."""
    module.cache().mkdir(parents=True, exist_ok=True)
    for abandoned in module.cache().glob(f".{program}.*"):
        abandoned.unlink()
    unfinished = module.cache() / f".{program}.{os.getpid()}"
    command = [
        "go", "build", "-trimpath", "-mod=readonly", "-ldflags", module.flags, "-o", str(unfinished),
        module.programs[program],
    ]  # fmt: skip
    environment = {**os.environ, "CGO_ENABLED": "0"}
    try:
        run_long(program, command, CACHE / "logs" / f"build-{program}.log", environment, module.folder)
        unfinished.rename(module.cache() / program)
    finally:
        unfinished.unlink(missing_ok=True)

