"""Loads every peer, checks its answer, and times all of them in turns with the engine."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from export import read
from ours import Ours, build
from with_duckdb import WithDuckdb
from with_numpy import WithNumpy
from with_polars import WithPolars
from with_postgres import WithPostgres, WithPostgresCovering

# How many times ours each should take at least; None = only reported.
TARGETS = {WithPolars: 10, WithDuckdb: 25, WithNumpy: 5, WithPostgres: 100, WithPostgresCovering: None}
WARM_UP_RUNS = 5
TURNS = 9
# Runs in a row: whoever's turn it is finds its own data in the cache but for the first, as it would when it is busy.
RUNS_A_TURN = 15


def say(line: str = "") -> None:
    print(line, file=sys.stderr, flush=True)


def compare() -> int:
    say("building the engine's benchmark")
    executable = build()
    opened = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-peers-export-") as folder:
            ours = Ours(executable, Path(folder))
            opened.append(ours)
            export = read(Path(folder))
        peers = []
        for kind in TARGETS:
            say(f"loading {kind.name}")
            peer = kind(export)
            opened.append(peer)
            peers.append(peer)
            found = [(int(ordinal), int(score)) for ordinal, score in peer.rank()]
            if found != export.expected:
                say(f"{peer.name} found {found}\nnot    {export.expected}")
                return 1
            say(f"  {peer.setup}")
        say(f"{export.cars} cars, the best {export.k}: every peer finds the same cars with the same scores")
        report(measure(ours, peers))
    finally:
        for each in reversed(opened):
            each.close()
    return 0


def measure(ours: Ours, peers: list) -> dict[str, list[float]]:
    """Seconds of each run, by name."""
    ours.times(WARM_UP_RUNS)
    for peer in peers:
        times(peer, WARM_UP_RUNS)
    taken: dict[str, list[float]] = {each.name: [] for each in (ours, *peers)}
    for _ in range(TURNS):
        taken[ours.name] += ours.times(RUNS_A_TURN)
        for peer in peers:
            taken[peer.name] += times(peer, RUNS_A_TURN)
    return taken


def times(peer, runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        peer.rank()
        taken.append(time.perf_counter() - began)
    return taken


def report(taken: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    ours = medians["ours"]
    targets = {kind.name: target for kind, target in TARGETS.items()}
    say(f"\n{'':18} {'p50':>10} {'middle half':>22} {'over ours':>10}")
    for name, median in medians.items():
        low, _, high = (1e3 * seconds for seconds in statistics.quantiles(taken[name], n=4))
        ratio = median / ours
        judged = ""
        if name in targets:
            target = targets[name]
            judged = f"target >= {target}: {'met' if ratio >= target else 'NOT met'}" if target else "no target"
        say(f"{name:18} {1e3 * median:7.3f} ms {low:8.3f} to {high:7.3f} ms {ratio:9.1f}x {judged}")
    for name, median in medians.items():
        print(f"BENCH engine.top20_1m.{name}_p50.us {1e6 * median:.1f} us", flush=True)
        if name in targets:
            print(f"BENCH engine.top20_1m.{name}_over_ours {median / ours:.2f} x", flush=True)
