"""Requests of the operator as the API server wrote them down. Reads files; asks nobody."""

from __future__ import annotations

import collections
import datetime
import json
from dataclasses import dataclass
from pathlib import Path

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
STATUS = "faciliautodeployments/status"
# Lease, events and status writes have figures of their own.
LEASES = "leases"
EVENTS = "events"
SECRETS = "secrets"


@dataclass(frozen=True)
class Request:
    """One request, once it was answered; a watch as soon as it was begun."""

    identity: str
    at: datetime.datetime
    verb: str
    # Plural, with a subresource after a slash; for an address that is no resource, the address.
    resource: str
    namespace: str
    name: str
    code: int

    def is_write(self) -> bool:
        return self.verb in WRITES

    def words(self) -> str:
        place = "/".join(part for part in (self.resource, self.namespace, self.name) if part)
        return f"{self.verb} {place} {self.code}"


def now() -> datetime.datetime:
    """By the clock that the API server on this machine has too."""
    return datetime.datetime.now(datetime.timezone.utc)


def requests(log: Path, since: datetime.datetime, until: datetime.datetime) -> list[Request]:
    """What arrived in that time, in order, from the log and what was rotated out of it."""
    found: dict[str, Request] = {}
    for file in log.parent.glob(f"{log.stem}*{log.suffix}"):
        for line in file.read_text(errors="replace").splitlines():
            request = read(line)
            # A watch has a line when it begins and another when it ends.
            if request and since <= request.at < until:
                found.setdefault(request.identity, request)
    return sorted(found.values(), key=lambda request: request.at)


def read(line: str) -> Request | None:
    """None for a line that is still being written."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    about = event.get("objectRef", {})
    resource = about.get("resource") or event["requestURI"].partition("?")[0]
    subresource = about.get("subresource")
    return Request(
        identity=event["auditID"],
        at=datetime.datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")),
        verb=event["verb"],
        resource=f"{resource}/{subresource}" if subresource else resource,
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
    )


def tally(found: list[Request]) -> str:
    """How many of which verb and resource, for people."""
    counted = collections.Counter(f"{request.verb} {request.resource}" for request in found)
    return ", ".join(f"{count} × {words}" for words, count in counted.most_common()) or "none"
