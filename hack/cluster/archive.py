"""Small images made from files of this machine, as docker archives that containerd imports.

Used for what a cluster needs before it can pull: pause, busybox, and Debian's Redis. The product's own
images are built from its Dockerfile, never here.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from errors import ClusterError


@dataclass(frozen=True)
class Contents:
    """What goes into the one layer: path inside -> file of this machine, or text; and how it starts."""

    reference: str
    files: dict[str, Path]
    texts: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    user: str = ""


def write(contents: Contents, target: Path) -> str:
    """Writes the archive and returns the image's id. The same files give the same bytes."""
    layer = layer_of(contents)
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[machine()],
            "os": "linux",
            "config": {
                "Entrypoint": contents.entrypoint,
                "Cmd": contents.command,
                "User": contents.user,
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created_by": "hack/cluster"}],
        }
    ).encode()
    identity = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{identity}.json", "RepoTags": [contents.reference], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        for name, data in (
            (f"{identity}.json", config),
            ("layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            add(archive, name, data, 0o644)
    return f"sha256:{identity}"


def layer_of(contents: Contents) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        folders: set[str] = set()
        for name in sorted([*contents.files, *contents.texts, *contents.links]):
            for parent in reversed(Path(name).parents[:-1]):
                if str(parent) not in folders:
                    folders.add(str(parent))
                    folder = tarfile.TarInfo(str(parent))
                    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                    layer.addfile(folder)
            if name in contents.links:
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, contents.links[name]
                layer.addfile(link)
            else:
                source = contents.files.get(name)
                data = source.read_bytes() if source else contents.texts[name].encode()
                add(layer, name, data, 0o755)
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def libraries_of(program: Path) -> dict[str, Path]:
    """The shared libraries that a program loads, each under the path it looks for."""
    done = subprocess.run(["ldd", str(program)], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"ldd {program}: {done.stderr.strip()}")
    found = re.findall(r"(/\S+) \(0x", done.stdout)
    return {path.lstrip("/"): Path(path).resolve() for path in found}


def machine() -> str:
    return subprocess.run(["uname", "-m"], text=True, capture_output=True, check=True).stdout.strip()
