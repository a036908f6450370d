"""What the operator costs an API server: `python3 hack/bench_operator`.

Requests are counted by the API server itself, in its audit log, not by the operator. One resource comes up on the real
node and is then looked at though nothing has changed; twenty come up on nodes that kwok pretends to be, and are left
alone. Standard output has `BENCH <name> <value> <unit>` lines; progress, and the table with targets, go to standard
error. The exit code says whether every target is met.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "system"))

from target import TargetError  # noqa: E402  (hack/system's: the whole system on a cluster)

import figures  # noqa: E402
import rig  # noqa: E402


def main() -> int:
    results = set_standard_output_aside()
    # However it is ended, what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        measured = rig.measure()
    except TargetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was made has been removed", file=sys.stderr)
        return 130
    for figure in measured:
        print(f"BENCH operator.{figure.name} {figure.value:.{figure.digits}f} {figure.unit}", file=results, flush=True)
    print(figures.table(measured), file=sys.stderr)
    return 0 if all(figure.is_met() for figure in measured) else 1


def set_standard_output_aside():
    """The real standard output, for results alone: what tools and children print goes to standard error."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return results


if __name__ == "__main__":
    sys.exit(main())
