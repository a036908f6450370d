"""The engine's ranking, computed by other programs too: `python3 hack/bench_peers`.

The engine's benchmark writes its million cars, the formula of one buyer and the answer. Each peer holds the same cars
in memory in the layout that suits it, finds the same twenty cars by the same integers, is checked against the
engine's answer, and is then timed in turns with the engine. Standard output has `BENCH <name> <value> <unit>` lines;
what was set up how, and the table of peers, go to standard error.
"""

from __future__ import annotations

import sys

import environment


def main() -> int:
    environment.enter()
    # Only inside the environment are the peers' packages there.
    from compare import compare

    return compare()


if __name__ == "__main__":
    sys.exit(main())
