"""The measurements, in order, on the local cluster."""

from __future__ import annotations

import datetime
import json
import os
import time
from pathlib import Path

from steps import step, wait_for
from target import Target, TargetError, cluster_tool, run_cluster_tool
from temporary import temporary_system
from up import look_at_resource

import audit
import failing_watch
import operator_process
import resources
from audit import EVENTS, LEASES, SECRETS, STATUS, Request
from cleaning import clean, refuse_company
from fake_nodes import apply, fake_nodes
from figures import Figure

READY_SECONDS = 240
TOUCHES = 20
LOOK_SECONDS = 30
IDLE_SECONDS = 120
# Time without a request about ours after which what was to happen has happened: status writes are held back for
# two seconds, and the autoscaler looks every five.
QUIET = datetime.timedelta(seconds=12)
# Fake pods have no figures: an autoscaler that measures nothing is told of once, when patience with it ends after 90 s.
QUIET_OF_FLEET = datetime.timedelta(seconds=95)
QUIET_WITHIN_SECONDS = 300


def measure() -> list[Figure]:
    """Brings up what is missing, measures, and takes away exactly what it brought."""
    if os.environ.get("KUBECONFIG"):
        raise TargetError("KUBECONFIG is set: only the local cluster's audit log can be read; unset it")
    run_cluster_tool("kwok")
    with temporary_system() as target:
        log = Path(cluster_tool("audit-log"))
        clean(target)
        refuse_company(target)
        wait_for("an operator leading", LOOK_SECONDS, lambda: leads(target))
        try:
            figures = [*bring_up_one(target, log), *touch(target, log)]
            with fake_nodes(target, cluster_tool("kwok")):
                try:
                    figures += fleet(target, log)
                    return figures + failing_watch.unrelated(target, log)
                finally:
                    clean(target)
        finally:
            clean(target)


def leads(target: Target) -> tuple[bool, str]:
    try:
        return True, f"{operator_process.read(target).pod} leads"
    except TargetError as error:
        return False, str(error)


def bring_up_one(target: Target, log: Path) -> list[Figure]:
    """One resource, its pods run for real."""
    namespace, name = resources.ONE_NAMESPACE, resources.ONE
    with step(f"one resource: {namespace}/{name}"):
        apply(target, [resources.namespace(namespace)])
        began = audit.now()
        apply(target, [resources.one()])
        wait_for("the resource becoming ready", READY_SECONDS, lambda: look_at_resource(target, namespace, name))
        up = audit.now()
        # Measurements of pods take up to a minute to come: until then it is not at rest.
        wait_for("the autoscaler measuring", READY_SECONDS, lambda: look_at_autoscaling(target))
        wait_until_quiet(log, namespace)
    found = [request for request in audit.requests(log, began, audit.now()) if request.namespace == namespace]
    writes = [request for request in found if request.is_write()]
    children = [request for request in writes if request.resource not in (STATUS, EVENTS)]
    written = {(request.resource, request.name) for request in children}
    status_until_up = [request for request in writes if request.resource == STATUS and request.at < up]
    say("bring-up", found)
    times = ", ".join(f"{(request.at - began).total_seconds():.1f}" for request in writes if request.resource == STATUS)
    print(f"    status written after {times} s", flush=True)
    for place in sorted(written):
        again = [request.words() for request in children if (request.resource, request.name) == place]
        if len(again) > 1:
            print(f"    written more than once: {', '.join(again)}", flush=True)
    return [
        Figure("bringup.children", len(written), "objects"),
        Figure("bringup.writes_per_child", len(children) / max(len(written), 1), "requests", at_most=1, digits=2),
        Figure("bringup.status_writes", len(status_until_up), "requests", at_most=4),
        Figure("bringup.status_writes_until_autoscaling", count(writes, STATUS), "requests"),
        Figure("bringup.events", count(writes, EVENTS), "requests"),
        Figure("bringup.gets", sum(request.verb == "get" for request in found), "requests"),
    ]


def look_at_autoscaling(target: Target) -> tuple[bool, str]:
    resource = target.read("faciliautodeployment", resources.ONE, "-n", resources.ONE_NAMESPACE) or {}
    for condition in resource.get("status", {}).get("conditions", []):
        if condition["type"] == "AutoscalingActive":
            return condition["status"] == "True", f"AutoscalingActive={condition['status']} · {condition['reason']}"
    return False, "nothing said of autoscaling yet"


def touch(target: Target, log: Path) -> list[Figure]:
    """A label is changed, which asks for a look that finds nothing to do; once for each look."""
    with step(f"the same, unchanged, looked at {TOUCHES} times"):
        before = last = operator_process.read(target)
        began = audit.now()
        for number in range(TOUCHES):
            target.kubectl(
                "-n", resources.ONE_NAMESPACE, "label", "--overwrite", "faciliautodeployment", resources.ONE,
                f"{resources.FAKE_LABEL}={number}",
            )  # fmt: skip
            last = after_another_look(target, last)
        found = audit.requests(log, began, audit.now())
        after = operator_process.read_again(target, before)
    looks = last.reconciliations - before.reconciliations
    took = after.reconcile_seconds - before.reconcile_seconds
    counted = beside_lease_and_watch(found)
    say(f"{looks:.0f} looks", counted)
    gets = [request for request in counted if request.verb == "get"]
    secrets = count(gets, SECRETS)

    def each(name: str, number: int, at_most: float | None = None) -> Figure:
        return Figure(f"unchanged.{name}", number / looks, "requests", at_most, digits=2)

    return [
        each("writes", sum(request.is_write() for request in counted), at_most=0),
        each("lists", sum(request.verb == "list" for request in counted), at_most=0),
        each("gets", len(gets) - secrets, at_most=1),
        each("secret_gets", secrets),
        Figure(
            "unchanged.microseconds",
            1e6 * took / max(after.reconciliations - before.reconciliations, 1), "us",
        ),
    ]  # fmt: skip


def after_another_look(target: Target, last: operator_process.Reading) -> operator_process.Reading:
    deadline = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < deadline:
        now = operator_process.read_again(target, last)
        if now.reconciliations > last.reconciliations:
            return now
    raise TargetError(f"a changed label was not looked at within {LOOK_SECONDS} s")


def fleet(target: Target, log: Path) -> list[Figure]:
    """As many resources as a platform may have, brought up together and then left alone."""
    namespace = resources.FLEET_NAMESPACE
    with step(f"{resources.FLEET} resources on fake nodes"):
        apply(target, [resources.namespace(namespace), *resources.volumes()])
        began, clock = audit.now(), time.monotonic()
        apply(target, resources.fleet())
        wait_for("all resources becoming ready", READY_SECONDS, lambda: look_at_fleet(target))
        ready_seconds = time.monotonic() - clock
        wait_until_quiet(log, namespace, QUIET_OF_FLEET)
    brought_up = [request for request in audit.requests(log, began, audit.now()) if request.namespace == namespace]
    say("bring-up of all", brought_up)
    with step(f"left alone for {IDLE_SECONDS} s"):
        before = operator_process.read(target)
        began = audit.now()
        pass_time(IDLE_SECONDS)
        idle = beside_lease_and_watch(audit.requests(log, began, audit.now()))
        after = operator_process.read_again(target, before)
        done, line = look_at_fleet(target)
        if not done:
            raise TargetError(f"they did not stay ready while they were left alone: {line}")
    say(f"idle, {after.reconciliations - before.reconciliations:.0f} looks", idle)
    is_secret = [request.verb == "get" and request.resource == SECRETS for request in idle]
    for request in [request for request, secret in zip(idle, is_secret) if not secret][:20]:
        print(f"    {request.at:%H:%M:%S} {request.words()}", flush=True)
    writes = [request for request in brought_up if request.is_write()]
    return [
        Figure("fleet.ready_seconds", ready_seconds, "s", digits=1),
        Figure("fleet.status_writes", count(writes, STATUS) / resources.FLEET, "requests", digits=2),
        Figure("fleet.events", count(writes, EVENTS), "requests"),
        Figure("idle.requests_besides_lease_and_watch", is_secret.count(False), "requests", at_most=0),
        Figure("idle.secret_gets", is_secret.count(True), "requests"),
        Figure("rss.mib", after.resident_bytes / 2**20, "MiB", digits=1),
    ]


def look_at_fleet(target: Target) -> tuple[bool, str]:
    text = target.kubectl("-n", resources.FLEET_NAMESPACE, "get", "faciliautodeployments", "-o", "json")
    waiting = []
    for item in json.loads(text)["items"]:
        status = item.get("status", {})
        conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
        ready = conditions.get("Ready", {})
        if ready.get("status") != "True" or status.get("observedGeneration") != item["metadata"]["generation"]:
            waiting.append(f"{item['metadata']['name']}: {ready.get('reason', 'not looked at')}")
    line = f"{resources.FLEET - len(waiting)} of {resources.FLEET} ready"
    return not waiting, f"{line}; {waiting[0]}" if waiting else line


def beside_lease_and_watch(found: list[Request]) -> list[Request]:
    return [request for request in found if request.verb != "watch" and request.resource != LEASES]


def count(found: list[Request], resource: str) -> int:
    return sum(request.resource == resource for request in found)


def wait_until_quiet(log: Path, namespace: str, quiet: datetime.timedelta = QUIET) -> None:
    """Until the operator has had nothing to write in the namespace for a while."""

    def look() -> tuple[bool, str]:
        now = audit.now()
        lately = [
            request
            for request in audit.requests(log, now - quiet, now)
            if request.namespace == namespace and request.is_write()
        ]
        return not lately, f"last: {lately[-1].words()}" if lately else "quiet"

    wait_for("the operator coming to rest", QUIET_WITHIN_SECONDS, look)


def pass_time(seconds: float) -> None:
    """The time is what is measured: there is nothing to wait for."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 30))
        print(f"    {max(deadline - time.monotonic(), 0):.0f} s left", flush=True)


def say(what: str, found: list[Request]) -> None:
    print(f"    {what}: {audit.tally(found)}", flush=True)
