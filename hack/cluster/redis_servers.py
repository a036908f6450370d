"""Redis 8.0 and Valkey 8.1 from a newer Debian: programs that run on this machine, and images of them.

They are unpacked once, with the libraries that they load, into the user's cache; that needs root and `debootstrap`,
which is installed where it is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import archive
from base_images import ENTRYPOINT, import_archive, names, remember
from errors import ClusterError
from settings import CACHE, REPOSITORY
from steps import run, run_long, step

sys.path.append(str(REPOSITORY / "hack"))
import debian  # noqa: E402

SUITE = "trixie"
SERVERS = CACHE / f"redis-servers-{SUITE}"
# Where the image has a server with its libraries and its own loader.
INSIDE = "opt/server"


@dataclass(frozen=True)
class Server:
    """A program, what it must say of its version, and its image's name."""

    name: str
    program: str
    package: str
    version: str
    image: str


NEWER = {
    "8.0": Server("Redis 8.0", "redis-server", "redis-server", "v=8.0.", "localhost/faciliauto/redis:8.0"),
    "valkey-8.1": Server(
        "Valkey 8.1", "valkey-server", "valkey-server", "v=8.1.", "localhost/faciliauto/valkey:8.1"
    ),
}


def load_images() -> None:
    """Imports the images that this containerd lacks."""
    present = names()
    for server in NEWER.values():
        if server.image in present:
            continue
        program = provide(server)
        with step(f"image {server.image}"), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "image.tar"
            remember(server.image, archive.write(contents(server, program.parent), file))
            import_archive(file)


def contents(server: Server, unpacked: Path) -> archive.Contents:
    """An image that starts as the official ones do. `redis-cli` is this machine's: it speaks to any server."""
    client = Path("/usr/bin/redis-cli")
    start = f'#!/bin/sh\nexec /{INSIDE}/loader --library-path /{INSIDE} /{INSIDE}/{server.program} "$@"\n'
    return archive.Contents(
        server.image,
        {
            "bin/busybox": Path("/bin/busybox"),
            "usr/bin/redis-cli": client,
            **archive.libraries_of(client),
            **{f"{INSIDE}/{file.name}": file for file in unpacked.iterdir() if file.name != "run"},
        },
        texts={
            f"usr/bin/{server.program}": start,
            "usr/local/bin/entrypoint": ENTRYPOINT.replace("redis-server", server.program),
        },
        links={"bin/sh": "busybox"},
        entrypoint=["/usr/local/bin/entrypoint"],
        command=[server.program],
        user="999:999",
    )


def provide(server: Server) -> Path:
    """The program of a server from the cache, which is filled first where it must."""
    program = SERVERS / server.program / "run"
    if not program.exists():
        unpack()
    said = version_of(program)
    if server.version not in said:
        raise ClusterError(f"{server.name} was wanted, {program} says {said}: remove {SERVERS} and run it again")
    return program


def version_of(program: Path) -> str:
    found = re.search(r"v=\S+", run(program, "--version"))
    return found[0] if found else "of unknown version"


def unpack() -> None:
    """Installs the servers into a folder of their own and keeps what they need to run."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError("Redis 8.0 and Valkey 8.1 are unpacked by debootstrap: run this as root on Debian or Ubuntu")
    debian.install("debootstrap")
    SERVERS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="faciliauto-redis-") as folder:
        root = Path(folder) / "root"
        packages = ",".join(server.package for server in NEWER.values())
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(root)]
        with step(f"unpacking {packages} of Debian {SUITE}"):
            run_long("debootstrap", command, SERVERS / "debootstrap.log", dict(os.environ), REPOSITORY)
        for server in NEWER.values():
            keep(root, server)


def keep(root: Path, server: Server) -> None:
    """Copies a program with its libraries and its own loader: this machine's may be older than it needs."""
    loader = next(iter(sorted(root.glob("usr/lib*/ld-linux-*.so.*"))), None)
    libraries = next(iter(sorted(root.glob("usr/lib/*-linux-gnu"))), None)
    if loader is None or libraries is None:
        raise ClusterError(f"debootstrap left no loader or no libraries in {root}")
    # The program is a link to one of several names, and looks by which of them it was called.
    program = root / "usr" / "bin" / server.program
    listed = run(loader, "--library-path", libraries, "--list", program)
    unfinished = SERVERS / f"{server.program}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for library in re.findall(r"=> (/\S+)", listed):
        shutil.copy(library, unfinished / Path(library).name)
    shutil.copy(program, unfinished / server.program)
    shutil.copy(loader, unfinished / "loader")
    start = unfinished / "run"
    here = '"$(dirname "$(readlink -f "$0")")"'
    start.write_text(
        f'#!/bin/sh\nhere={here}\n'
        f'exec "$here/loader" --library-path "$here" "$here/{server.program}" "$@"\n'
    )
    start.chmod(0o755)
    finished = SERVERS / server.program
    shutil.rmtree(finished, ignore_errors=True)
    unfinished.rename(finished)
