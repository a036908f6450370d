"""A real Kubernetes on this machine: `python3 hack/cluster VERB`.

With KUBECONFIG set, the cluster it names is used as it is: `up` only asks whether it answers, and no
verb builds, starts or removes anything.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import given
import images
import preflight
import redis_servers
import toolchain
from base_images import loaded
from down import take_down
from errors import ClusterError
from locking import only_one
from settings import ADMIN_KUBECONFIG, AUDIT_LOG, KUBECTL
from status import print_status
from up import bring_up


def kubeconfig() -> None:
    print(given.kubeconfig() or ADMIN_KUBECONFIG)


def kubectl() -> None:
    print(given.kubectl() if given.kubeconfig() else KUBECTL)


def up() -> None:
    if given.kubeconfig():
        given.check_answers()
        return
    with only_one():
        bring_up()


def down() -> None:
    if given.kubeconfig():
        print(f"KUBECONFIG is set: {given.kubeconfig()} is not ours to take down")
        return
    with only_one():
        take_down()


def load_images() -> None:
    if given.kubeconfig():
        print("KUBECONFIG is set: push these images where that cluster pulls from:")
        for reference in images.REFERENCES.values():
            print(f"  {reference}")
        return
    with only_one():
        images.build_and_load()


def load_redis_images() -> None:
    if given.kubeconfig():
        raise ClusterError("KUBECONFIG is set: images are loaded into the local cluster only; unset it")
    with only_one():
        redis_servers.load_images()


def image_ids() -> None:
    print(json.dumps({reference: entry["id"] for reference, entry in loaded().items()}))


def audit_log() -> None:
    if given.kubeconfig():
        raise ClusterError("KUBECONFIG is set: the audit log of that cluster is its own; unset it for the local one")
    print(AUDIT_LOG)


def kwok() -> None:
    print_program(toolchain.KWOK, "kwok")


def versitygw() -> None:
    print_program(toolchain.VERSITYGW, "versitygw")


def redis_server(name: str) -> Callable[[], None]:
    """A verb that prints the path of a server's program."""

    def verb() -> None:
        with only_one(), redirect_stdout(sys.stderr):
            program = redis_servers.provide(redis_servers.NEWER[name])
        print(program)

    return verb


def print_program(module: toolchain.Module, program: str) -> None:
    if module.missing():
        with only_one(), redirect_stdout(sys.stderr):
            preflight.check_go(shutil.which("go"))
            toolchain.build_missing(module)
    print(module.cache() / program)


VERBS = {
    "up": (up, "build what is missing, start what is not running, wait until the cluster answers"),
    "down": (down, "end and remove everything that `up` made"),
    "status": (print_status, "each component: running or not, since when, its log"),
    "kubeconfig": (kubeconfig, "print the path of the kubeconfig"),
    "kubectl": (kubectl, "print the path of a kubectl of the cluster's version"),
    "audit-log": (audit_log, "print the path of the log of what the operator asks of the API server"),
    "kwok": (kwok, "build what pretends to be nodes, once, and print its path; no cluster needs it"),
    "versitygw": (versitygw, "build a server for S3, once, and print its path; no cluster needs it"),
    "redis-8.0": (redis_server("8.0"), "unpack Redis 8.0, once, and print its path; no cluster needs it"),
    "valkey-8.1": (redis_server("valkey-8.1"), "unpack Valkey 8.1, once, and print its path; no cluster needs it"),
    "image-ids": (image_ids, "print the id that each local tag stands for, as JSON"),
    "redis-images": (load_redis_images, "make images of Redis 8.0 and Valkey 8.1 and load them"),
    "images": (load_images, "build both programs' images from the Dockerfile and load them"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="hack/cluster", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, (_, summary) in VERBS.items():
        verbs.add_parser(name, help=summary)
    verb = parser.parse_args().verb
    try:
        VERBS[verb][0]()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
