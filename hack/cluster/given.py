"""The cluster that KUBECONFIG names: looked at, never changed."""

from __future__ import annotations

import os
import shutil
import subprocess

from errors import ClusterError


def kubeconfig() -> str:
    """The path in KUBECONFIG, or an empty string."""
    return os.environ.get("KUBECONFIG", "")


def kubectl() -> str:
    """The kubectl on the PATH: a given cluster is reached with the user's own."""
    found = shutil.which("kubectl")
    if found is None:
        raise ClusterError("KUBECONFIG is set but kubectl is not on the PATH: install kubectl 1.33 or newer")
    return found


def check_answers() -> None:
    """Says which cluster is used, or that it does not answer."""
    done = subprocess.run(
        [kubectl(), "version", "-o", "yaml", "--request-timeout=10s"], text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise ClusterError(f"the cluster of KUBECONFIG={kubeconfig()} does not answer: {reason}")
    print(f"using the cluster of KUBECONFIG={kubeconfig()} as it is")
