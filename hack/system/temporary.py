"""The whole system for as long as something is done with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from down import remove_install
from target import OPERATOR_NAMESPACE, Target, cluster_tool, run_cluster_tool
from up import install_operator, load_images


@contextmanager
def temporary_system() -> Iterator[Target]:
    """Brings up what is missing of cluster and operator, and afterwards takes away exactly what it brought."""
    local = not os.environ.get("KUBECONFIG")
    was_up = local and is_up()
    run_cluster_tool("up")
    try:
        load_images()
        target = Target.find()
        was_installed = target.read("namespace", OPERATOR_NAMESPACE) is not None
        install_operator(target)
        try:
            yield target
        finally:
            if not was_installed and (was_up or not local):
                remove_install(target)
    finally:
        if local and not was_up:
            run_cluster_tool("down")


def is_up() -> bool:
    """Whether the local cluster runs before anything is done to it."""
    return "running" in cluster_tool("status")
