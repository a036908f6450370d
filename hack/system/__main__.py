"""The whole system on a cluster: `python3 hack/system up|down|test|drill`.

Everything it does to the cluster goes through kubectl and the manifests that users apply, so what
works here works for them. The cluster is the local one of `hack/cluster`, or the one that KUBECONFIG
names, which is used as it is.
"""

from __future__ import annotations

import argparse
import sys

from cluster_tests import run_cluster_tests
from down import take_down
from drills import DRILLS, SERVERS, run_drill
from target import TargetError
from up import bring_up

VERBS = {
    "up": (bring_up, "cluster, images, operator, a sample deployment, and the first recommendation"),
    "down": (take_down, "take away what `up` brought"),
    "test": (run_cluster_tests, "run the tests that need a cluster, and leave it as it was found"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="hack/system", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, (_, summary) in VERBS.items():
        verbs.add_parser(name, help=summary)
    drill = verbs.add_parser("drill", help="a system of full size: its backup, its restore, or what kills them")
    drill.add_argument("drill", choices=DRILLS)
    drill.add_argument("servers", nargs="*", metavar="SERVER", help=f"what Redis to run it on: {', '.join(SERVERS)}")
    arguments = parser.parse_args()
    try:
        if arguments.verb == "drill":
            run_drill(arguments.drill, arguments.servers)
        else:
            VERBS[arguments.verb][0]()
    except TargetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
