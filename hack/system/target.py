"""The cluster that the system runs on, and how this tool talks to it: kubectl, never a client of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR_NAMESPACE = "faciliauto-system"
NAMESPACE = "faciliauto"
RESOURCE = "faciliauto"
# Nothing can be pulled on the local cluster: `hack/cluster images` loads a Redis under this name.
LOCAL_REDIS_IMAGE = "localhost/faciliauto/redis:7.0"
# And the API's image a second time, as a mirror has it.
LOCAL_MIRROR = "localhost/faciliauto/mirror/service"


class TargetError(Exception):
    """What went wrong and what to do, in one line."""


@dataclass(frozen=True)
class Target:
    """A reachable cluster: the kubeconfig in use, the kubectl to use, and whether the cluster is ours."""

    kubeconfig: str
    kubectl_path: str
    local: bool

    @staticmethod
    def find() -> "Target":
        """The cluster KUBECONFIG names, else the local one, which must be up."""
        given = os.environ.get("KUBECONFIG", "")
        if given:
            kubectl = shutil.which("kubectl")
            if kubectl is None:
                raise TargetError("KUBECONFIG is set but kubectl is not on the PATH: install kubectl 1.33 or newer")
            return Target(kubeconfig=given, kubectl_path=kubectl, local=False)
        return Target(kubeconfig=cluster_tool("kubeconfig"), kubectl_path=cluster_tool("kubectl"), local=True)

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Runs kubectl and returns what it printed; its own words are the error."""
        try:
            done = subprocess.run(
                [self.kubectl_path, *arguments],
                env={**os.environ, "KUBECONFIG": self.kubeconfig},
                input=stdin,
                text=True,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TargetError(f"kubectl {' '.join(arguments[:4])} … gave no answer within {timeout:.0f} s") from None
        if done.returncode != 0:
            raise TargetError(f"kubectl {' '.join(arguments[:4])} …: {done.stderr.strip()}")
        return done.stdout

    @contextmanager
    def proxy(self) -> Iterator[str]:
        """`kubectl proxy` for as long as the block runs: its address, at which the API server answers plain HTTP."""
        proxy = subprocess.Popen(
            [self.kubectl_path, "proxy", "--port=0"],
            env={**os.environ, "KUBECONFIG": self.kubeconfig},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            greeting = proxy.stdout.readline()  # type: ignore[union-attr]
            if "Starting to serve on " not in greeting:
                raise TargetError(f"kubectl proxy did not start: {greeting.strip() or 'it said nothing'}")
            yield greeting.rsplit(" ", 1)[1].strip()
        finally:
            proxy.kill()
            proxy.wait()

    def call_service(self, namespace: str, service: str, path: str, body: dict | None = None) -> dict:
        """A request to a Service's port `http` from outside the cluster, whatever that is: by way of
        `kubectl proxy` and the API server, which must reach the pods and nothing else must."""
        try:
            with self.proxy() as address:
                request = urllib.request.Request(
                    f"http://{address}/api/v1/namespaces/{namespace}/services/{service}:http/proxy{path}",
                    data=None if body is None else json.dumps(body).encode(),
                    headers={"Content-Type": "application/json"},
                )
                with urllib.request.urlopen(request, timeout=15) as answer:
                    return json.load(answer)
        except OSError as error:
            said = error.read().decode(errors="replace") if isinstance(error, urllib.error.HTTPError) else error
            raise TargetError(f"{path} of the Service {service} did not answer: {said}") from None

    def read(self, *arguments: str) -> dict | None:
        """One object as JSON, or None when it does not exist."""
        text = self.kubectl("get", *arguments, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None


def cluster_tool(verb: str) -> str:
    """Asks `hack/cluster` for one line."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "hack" / "cluster"), verb], text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise TargetError(done.stderr.strip() or f"hack/cluster {verb} failed")
    return done.stdout.strip()


def run_cluster_tool(verb: str) -> None:
    """Runs a verb of `hack/cluster` with its own output shown."""
    done = subprocess.run([sys.executable, str(REPOSITORY / "hack" / "cluster"), verb], check=False)
    if done.returncode != 0:
        raise TargetError(f"hack/cluster {verb} failed: its last line above says why")
