"""The images a cluster needs before it can pull anything: pause, busybox, and a Redis."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import archive
from components import BUSYBOX_IMAGE, PAUSE_IMAGE
from settings import CONTAINERD_SOCKET, STATE
from steps import run, step

REDIS_IMAGE = "localhost/faciliauto/redis:7.0"
LOADED = STATE / "images.json"

# As the official image's entrypoint: bare options or a configuration file mean the server.
ENTRYPOINT = """#!/bin/sh
set -e
case "${1:-}" in
-* | *.conf) exec redis-server "$@" ;;
esac
exec "$@"
"""


def contents() -> list[archive.Contents]:
    redis = {"usr/bin/redis-server": Path("/usr/bin/redis-server"), "usr/bin/redis-cli": Path("/usr/bin/redis-cli")}
    libraries = {
        name: path
        for program in redis.values()
        for name, path in archive.libraries_of(program.resolve()).items()
    }
    return [
        archive.Contents(
            PAUSE_IMAGE, {"pause": Path("/usr/bin/catatonit")}, entrypoint=["/pause", "-P"], user="65535:65535"
        ),
        archive.Contents(
            BUSYBOX_IMAGE,
            {"bin/busybox": Path("/bin/busybox")},
            links={f"bin/{name}": "busybox" for name in ("sh", "mkdir", "rm", "chmod", "ls", "cat", "sleep", "wget")},
            command=["/bin/sh"],
        ),
        archive.Contents(
            REDIS_IMAGE,
            {**{name: path.resolve() for name, path in redis.items()}, "bin/busybox": Path("/bin/busybox"), **libraries},
            texts={"usr/local/bin/entrypoint": ENTRYPOINT},
            links={"bin/sh": "busybox"},
            entrypoint=["/usr/local/bin/entrypoint"],
            command=["redis-server"],
            user="999:999",
        ),
    ]


def load() -> None:
    """Imports those that this containerd lacks."""
    present = names()
    missing = [image for image in contents() if image.reference not in present]
    if not missing:
        return
    with step(f"base images: {' '.join(image.reference for image in missing)}"), tempfile.TemporaryDirectory() as folder:
        for image in missing:
            file = Path(folder) / "image.tar"
            remember(image.reference, archive.write(image, file))
            import_archive(file)


def ctr(*arguments: str | Path, seconds: float = 120) -> str:
    """containerd's own client, in the namespace where Kubernetes looks for images."""
    return run("ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", *arguments, seconds=seconds)


def names() -> set[str]:
    return set(ctr("images", "list", "-q").split())


def also_known_as(reference: str, name: str) -> None:
    """Gives a loaded image another name, whatever had that name before."""
    ctr("images", "tag", "--force", reference, name)


def import_archive(file: Path) -> None:
    ctr("images", "import", file, seconds=300)


def remember(reference: str, identity: str, key: str = "") -> None:
    """Notes what a tag means now; pods report the id they were started from."""
    known = loaded()
    known[reference] = {"id": identity, "key": key}
    unfinished = LOADED.with_suffix(".new")
    unfinished.write_text(json.dumps(known, indent=2))
    unfinished.rename(LOADED)


def loaded() -> dict[str, dict[str, str]]:
    """Reference -> id of the image, and key of the sources it was built from."""
    try:
        return json.loads(LOADED.read_text())
    except (OSError, ValueError):
        return {}
