"""One verb that changes the cluster at a time, whoever calls it from wherever."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import ClusterError

# Outside the state folder, which `down` removes.
LOCK = Path("/run/lock/faciliauto-cluster.lock")


@contextmanager
def only_one() -> Iterator[None]:
    """Holds the lock; the kernel frees it however the process ends."""
    try:
        handle = LOCK.open("w")
    except OSError as error:
        raise ClusterError(f"cannot write {LOCK} ({error.strerror}): run as root, for example with sudo") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError("another `hack/cluster` call is at work: wait until it ends") from None
        yield
