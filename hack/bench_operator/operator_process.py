"""The operator that leads: which pod it is, and what it says of itself at /metrics."""

from __future__ import annotations

import json
from dataclasses import dataclass

from target import OPERATOR_NAMESPACE, Target, TargetError

SELECTOR = "app.kubernetes.io/name=faciliauto-operator"
PORT = 8080


@dataclass(frozen=True)
class Reading:
    """What is read off the metrics of the leader at one moment."""

    pod: str
    reconciliations: float
    reconcile_seconds: float
    resident_bytes: float
    watch_errors: float


def read(target: Target) -> Reading:
    """Asks each operator through the API server, as an administrator: that is not among what is counted."""
    pods = json.loads(target.kubectl("-n", OPERATOR_NAMESPACE, "get", "pods", "-l", SELECTOR, "-o", "json"))
    for pod in pods["items"]:
        if "deletionTimestamp" not in pod["metadata"]:
            name = pod["metadata"]["name"]
            found = values(of(target, name))
            if found.get("faciliauto_leader") == 1:
                return reading(name, found)
    raise TargetError(f"no operator of the namespace {OPERATOR_NAMESPACE} leads: see the logs of its pods")


def read_again(target: Target, before: Reading) -> Reading:
    """The same process once more."""
    found = values(of(target, before.pod))
    if found.get("faciliauto_leader") != 1:
        raise TargetError(f"{before.pod} ceased to lead while it was measured: run it again")
    return reading(before.pod, found)


def of(target: Target, pod: str) -> str:
    return target.kubectl("get", "--raw", f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}:{PORT}/proxy/metrics")


def reading(pod: str, found: dict[str, float]) -> Reading:
    return Reading(
        pod=pod,
        reconciliations=found.get("faciliauto_reconciliations_total", 0),
        reconcile_seconds=found.get("faciliauto_reconcile_duration_seconds_sum", 0),
        resident_bytes=found.get("process_resident_memory_bytes", 0),
        watch_errors=found.get("faciliauto_watch_errors_total", 0),
    )


def values(exposition: str) -> dict[str, float]:
    """Metrics by name, over all their labels."""
    found: dict[str, float] = {}
    for line in exposition.splitlines():
        series, _, value = line.rpartition(" ")
        if series and not line.startswith("#"):
            name = series.partition("{")[0]
            found[name] = found.get(name, 0) + float(value)
    return found
