"""Both programs' images, from the real Dockerfile.

The Dockerfile's stage `build` compiles inside a builder image, which a machine without a registry
cannot pull. Here the same command runs on the host, and its output takes the place of that stage; the
stages that ship are built from the Dockerfile as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from base_images import also_known_as, import_archive, loaded, names, remember
from errors import ClusterError
from settings import CACHE, CONTAINERD_SOCKET, REPOSITORY
from steps import run, run_long, step

sys.path.append(str(REPOSITORY / "hack"))
import shipped  # noqa: E402

VERSION = "0.1.0"
REFERENCES = {
    "operator": f"ghcr.io/faciliauto/operator:{VERSION}",
    "service": f"ghcr.io/faciliauto/service:{VERSION}",
}
# The same image as a mirror has it: what the tests of an operator's upgrade move systems to.
MIRRORED = f"localhost/faciliauto/mirror/service:{VERSION}"
BUILT = CACHE / "images"
KEPT_BUILDS = 3
# The promise of the original system, and our own.
CEILING_MEGABYTES = 200
GOAL_MEGABYTES = 15
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def build_and_load() -> None:
    """Compiles, builds and imports what is not loaded yet for these very sources."""
    if not CONTAINERD_SOCKET.exists():
        raise ClusterError("the local cluster is not up: run `make cluster-up` first")
    key = sources_key()
    present, known = names(), loaded()
    missing = [
        target
        for target, reference in REFERENCES.items()
        if reference not in present or known.get(reference, {}).get("key") != key
    ]
    if not missing:
        if MIRRORED not in present:
            also_known_as(REFERENCES["service"], MIRRORED)
        print("images: up to date")
        return
    programs = compile_programs(key)
    for target in missing:
        with step(f"image {REFERENCES[target]}"), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "image.tar"
            build_image(target, programs, file)
            import_archive(file)
            identity, size = describe(file)
            remember(REFERENCES[target], identity, key)
            report_size(target, size)
    also_known_as(REFERENCES["service"], MIRRORED)


def sources_key() -> str:
    """Changes with anything that can change the binaries; tests and what fuzzing leaves behind cannot."""
    digest = hashlib.sha256(run("rustc", "--version").encode())
    files = [REPOSITORY / name for name in ("Cargo.toml", "Cargo.lock", "Dockerfile")]
    for package in ("operator", "service"):
        for path in sorted((REPOSITORY / package).rglob("*")):
            inside = path.relative_to(REPOSITORY).parts
            if path.is_file() and not {"tests", "benches", "examples", "fuzz", "target"} & set(inside):
                files.append(path)
    for path in files:
        digest.update(f"{path.relative_to(REPOSITORY)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def compile_programs(key: str) -> Path:
    """The folder that the Dockerfile calls /out, from the cache or compiled as its stage `build` does."""
    out = BUILT / key
    if out.is_dir():
        return out
    with step("compile both programs (release, static)"):
        command = [
            "cargo", "build", "--locked", "--release", "--target", shipped.TARGET,
            "-p", "faciliauto-operator", "-p", "faciliauto-service",
        ]  # fmt: skip
        run_long("cargo build --release", command, CACHE / "logs" / "cargo.log", shipped.environment(), REPOSITORY)
        unfinished = BUILT / f".{key}.{os.getpid()}"
        unfinished.mkdir(parents=True)
        try:
            folder = unfinished / "out"
            folder.mkdir()
            for program in ("faciliauto-operator", "faciliauto-service"):
                shutil.copy2(shipped.COMPILED / shipped.TARGET / "release" / program, folder / program)
            shutil.copy2(AUTHORITIES, folder / "ca-certificates.crt")
            unfinished.rename(out)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    for old in sorted(BUILT.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_BUILDS:]:
        shutil.rmtree(old, ignore_errors=True)
    return out


def build_image(target: str, programs: Path, file: Path) -> None:
    """One target of the Dockerfile into a docker archive; the format keeps HEALTHCHECK."""
    with tempfile.TemporaryDirectory() as storage:
        buildah = ["buildah", "--root", f"{storage}/root", "--runroot", f"{storage}/run", "--storage-driver", "vfs"]
        run(
            *buildah, "build", "--isolation", "chroot", "--format", "docker", "--pull-never", "--timestamp", "0",
            "--build-context", f"build={programs}", "--build-arg", f"VERSION={VERSION}", "--target", target,
            "--tag", REFERENCES[target], REPOSITORY, seconds=300,
        )  # fmt: skip
        run(*buildah, "push", REFERENCES[target], f"docker-archive:{file}:{REFERENCES[target]}", seconds=300)


def describe(file: Path) -> tuple[str, int]:
    """The image's id, and its size uncompressed in bytes."""
    with tarfile.open(file) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        size = sum(archive.getmember(layer).size for layer in manifest["Layers"])
    return f"sha256:{Path(manifest['Config']).stem}", size


def report_size(target: str, size: int) -> None:
    megabytes = size / 1e6
    print(f"    {target}: {megabytes:.1f} MB (goal {GOAL_MEGABYTES}, ceiling {CEILING_MEGABYTES})", flush=True)
    if megabytes > CEILING_MEGABYTES:
        raise ClusterError(f"the image {target} has {megabytes:.0f} MB, over the promised {CEILING_MEGABYTES}")
