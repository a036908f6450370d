"""Processes that we started: recorded by pid and start time, so that only they are ever ended.

A pid alone is no identity: after a crash or a reboot it may belong to somebody else. The kernel's
start time of the process (clock ticks since boot) beside it is one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from settings import LOGS, STATE

RECORDS = STATE / "processes"


@dataclass(frozen=True)
class Record:
    """One process of ours; `command` tells whether it still runs what we would start today."""

    pid: int
    start_ticks: int
    command: list[str]
    inputs: str
    since: float


def start_ticks(pid: int) -> int | None:
    """The kernel's start time of a living process, None for a dead or unreaped one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def recorded(name: str) -> Record | None:
    try:
        return Record(**json.loads((RECORDS / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def running(name: str) -> Record | None:
    """The record of a component whose very process is alive."""
    record = recorded(name)
    return record if record and start_ticks(record.pid) == record.start_ticks else None


def start(name: str, command: list[str], inputs: str, environment: dict[str, str]) -> bool:
    """Starts a component unless it runs already with the same command and inputs. True when started.

    `inputs` is a digest of its configuration files. A process that runs with others is replaced.
    """
    record = running(name)
    if record and (record.command, record.inputs) == (command, inputs):
        return False
    stop(name)
    LOGS.mkdir(parents=True, exist_ok=True)
    RECORDS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A session of its own: a Ctrl-C in the terminal ends the command, not the cluster.
            start_new_session=True,
            env={**os.environ, **environment},
            preexec_fn=lambda: record_self(name, command, inputs),
        )
    return True


def record_self(name: str, command: list[str], inputs: str) -> None:
    """Runs in the child before it becomes the component: no process of ours is ever without a record,
    even when the command that starts it is killed at this very moment."""
    pid = os.getpid()
    record = Record(pid, start_ticks(pid) or 0, command, inputs, time.time())
    unfinished = RECORDS / f"{name}.new"
    unfinished.write_text(json.dumps(asdict(record)))
    unfinished.rename(RECORDS / f"{name}.json")


def stop(name: str, seconds: float = 10) -> None:
    """Ends a component: first asked, then killed. A record without its process is only removed."""
    record = running(name)
    if record is not None:
        end(record.pid, record.start_ticks, seconds)
    (RECORDS / f"{name}.json").unlink(missing_ok=True)


def end(pid: int, ticks: int, seconds: float) -> None:
    """SIGTERM, and SIGKILL when it has not gone within `seconds`."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            if start_ticks(pid) != ticks:
                return
            time.sleep(0.05)
