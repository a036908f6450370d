"""Whether a watch that fails delays looks that have nothing to do with it."""

from __future__ import annotations

import datetime
import http.client
import json
import time
from pathlib import Path

from steps import step, wait_for
from target import Target, TargetError

import audit
import operator_process
import resources
from audit import SECRETS, Request
from cleaning import remove_broken_kind
from fake_nodes import apply
from figures import Figure

TOUCHES = 500
# Each resource is left alone for a second between two looks.
PAUSE_SECONDS = 1 / resources.FLEET
FAILS_WITHIN_SECONDS = 60
# What is written at the end of the log may take a moment to be there.
WRITTEN_WITHIN_SECONDS = 10
FAILURES = 3
NOISE = 1.5


def unrelated(target: Target, log: Path) -> list[Figure]:
    """The delay between a change of a resource and the operator's look at it, while every watch works and while one
    fails again and again, on the resources of the fleet, which are at rest."""
    name = resources.broken_kind()["metadata"]["name"]
    if target.read("customresourcedefinition", name):
        raise TargetError(f"the cluster has {name}: this stage breaks that kind and would break it for others")
    # In turns, since the machine has its moods.
    well, failing = [], []
    for turn in (1, 2):
        with step(f"{TOUCHES} changes while every watch works, turn {turn}"):
            well += delays(target, log)
        try:
            with step("a watch that fails"):
                before = operator_process.read(target)
                apply(target, [resources.broken_kind()])
                target.kubectl(
                    "wait", "--for=condition=Established", "--timeout=30s", f"customresourcedefinition/{name}"
                )  # fmt: skip
                # Discovery of a new kind lags behind its definition.
                wait_for("an object that nobody can convert", FAILS_WITHIN_SECONDS, lambda: store_route(target))
                wait_for("the watch failing", FAILS_WITHIN_SECONDS, lambda: fails(target, before))
            with step(f"{TOUCHES} changes while it fails, turn {turn}"):
                begun = operator_process.read(target)
                failing += delays(target, log)
                failures = operator_process.read_again(target, begun).watch_errors - begun.watch_errors
                if failures < 1:
                    raise TargetError("the watch did not fail while delays were measured: run it again")
                print(f"    it failed {failures:.0f} times", flush=True)
        finally:
            remove_broken_kind(target)
    p50, p99 = (quantile(well, share) for share in (0.5, 0.99))
    p50_failing, p99_failing = (quantile(failing, share) for share in (0.5, 0.99))
    return [
        Figure("watches_work.look_p50", p50, "ms", digits=1),
        Figure("watches_work.look_p99", p99, "ms", digits=1),
        Figure("watch_fails.look_p50", p50_failing, "ms", digits=1),
        Figure("watch_fails.look_p99", p99_failing, "ms", digits=1),
        Figure("watch_fails.look_p99_ratio", p99_failing / p99, "x", at_most=NOISE, digits=2),
    ]


def store_route(target: Target) -> tuple[bool, str]:
    try:
        apply(target, [resources.stored_route()])
        return True, "stored"
    except TargetError as error:
        return False, str(error)[-80:]


def fails(target: Target, before: operator_process.Reading) -> tuple[bool, str]:
    failures = operator_process.read_again(target, before).watch_errors - before.watch_errors
    return failures >= FAILURES, f"{failures:.0f} failures"


def delays(target: Target, log: Path) -> list[float]:
    """In ms: from before a label is changed until the API server is asked for a Secret of that resource, which is
    the first thing that a look asks for."""
    names = [resource["metadata"]["name"] for resource in resources.fleet()]
    begun, changed = audit.now(), []
    with target.proxy() as address:
        connection = http.client.HTTPConnection(address, timeout=10)
        for number in range(TOUCHES):
            due = time.monotonic() + PAUSE_SECONDS
            name = names[number % len(names)]
            changed.append((name, audit.now()))
            change_label(connection, name, number)
            time.sleep(max(due - time.monotonic(), 0))
    deadline = time.monotonic() + WRITTEN_WITHIN_SECONDS
    while True:
        found = looks(changed, audit.requests(log, begun, audit.now()))
        if len(found) == len(changed):
            return found
        if time.monotonic() > deadline:
            raise TargetError(f"of {len(changed)} changes only {len(found)} were looked at before the next one")
        time.sleep(1)


def change_label(connection: http.client.HTTPConnection, name: str, number: int) -> None:
    connection.request(
        "PATCH",
        f"/apis/faciliauto.com/v1alpha1/namespaces/{resources.FLEET_NAMESPACE}/faciliautodeployments/{name}",
        body=json.dumps({"metadata": {"labels": {f"{resources.FAKE_LABEL}-touched": str(number)}}}),
        headers={"Content-Type": "application/merge-patch+json"},
    )
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise TargetError(f"the label of {name} could not be changed: {said.decode(errors='replace')[:200]}")


def looks(changed: list[tuple[str, datetime.datetime]], requests: list[Request]) -> list[float]:
    """How long after each change its resource was looked at, in ms; only of those that were before the next change."""
    found = []
    asked: dict[str, list[datetime.datetime]] = {}
    for request in requests:
        if request.verb == "get" and request.resource == SECRETS:
            owner = next((name for name, _ in changed if request.name.startswith(f"{name}-")), None)
            asked.setdefault(owner or "", []).append(request.at)
    for place, (name, at) in enumerate(changed):
        until = next((later for other, later in changed[place + 1 :] if other == name), None)
        first = next((moment for moment in asked.get(name, []) if moment >= at), None)
        if first is not None and (until is None or first < until):
            found.append((first - at).total_seconds() * 1000)
    return found


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int((len(values) - 1) * share)]
