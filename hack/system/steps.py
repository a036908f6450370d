"""Steps with names and times, so that a long job shows where it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from target import TargetError

POLL_SECONDS = 0.5


@contextmanager
def step(name: str) -> Iterator[None]:
    """Prints the step's name, then how long it took."""
    began = time.monotonic()
    print(f"==> {name}", flush=True)
    yield
    print(f"    {time.monotonic() - began:.1f} s", flush=True)


def wait_for(what: str, timeout: float, look: Callable[[], tuple[bool, str]]) -> None:
    """Calls `look` until it says done, printing what it saw each time that changes.

    `look` returns (done, one line about where things stand). Raises TargetError with the last line
    when `timeout` seconds have passed.
    """
    deadline = time.monotonic() + timeout
    shown = ""
    while True:
        done, line = look()
        if line and line != shown:
            print(f"    {line}", flush=True)
            shown = line
        if done:
            return
        if time.monotonic() > deadline:
            raise TargetError(f"{what} did not happen within {timeout:.0f} s; last seen: {shown or 'nothing'}")
        sys.stdout.flush()
        time.sleep(POLL_SECONDS)
