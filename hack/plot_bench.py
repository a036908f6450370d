#!/usr/bin/env python3
"""Writes docs/performance.svg and the tables of docs/performance.md from the benchmarks' lines.

    make bench-engine > figures; make bench-peers >> figures; make bench-http >> figures; make bench-stock >> figures
    make bench-operator >> figures; make bench-backup >> figures
    make drill-backup drill-restore drill-crash REDIS="7.0 8.0 valkey-8.1" >> figures
    python3 hack/plot_bench.py figures

The processor is this machine's, the date that of the file. A table whose lines the file does not have stays as it was.
"""

from __future__ import annotations

import datetime
import math
import pathlib
import re
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"

Values = dict[str, tuple[float, str]]

SIZES = {"10k": 10_240, "100k": 100_352, "1m": 1_000_448, "10m": 10_000_384}
SERIES = [("top20", "best 20, exactly", "#1f6feb"), ("read", "plain read of the same bytes", "#8b949e")]


class Row(NamedTuple):
    """One figure of the engine: what it is, and what it should not be above."""

    text: str
    at_most: float | None = None
    # Measured against another figure of the same run: not more than `at_most` above it.
    over: str | None = None

    def target(self) -> str:
        if self.at_most is None:
            return ""
        return f"≤ 1 M + {self.at_most:g}" if self.over else f"≤ {self.at_most:,g}"

    def judge(self, value: float, values: Values) -> str:
        if self.at_most is None:
            return ""
        limit = self.at_most + (values[self.over][0] if self.over else 0)
        return "met" if value <= limit else "not met"


ENGINE = {
    "recommend_300.us": Row("whole request, 300 cars", 10),
    "recommend_1m.us": Row("whole request, 1 M cars"),
    "top20_1m.baseline.times_read": Row("best 20 of 1 M over plain read, SSE2", 4),
    "top20_1m.avx2.times_read": Row("… AVX2", 2.5),
    "top20_1m.avx512.times_read": Row("… AVX-512", 2),
    "top20_10m.baseline.times_read": Row(
        "best 20 of 10 M over plain read, SSE2", 0.5, over="top20_1m.baseline.times_read"
    ),
    "top20_10m.avx2.times_read": Row("… AVX2", 0.5, over="top20_1m.avx2.times_read"),
    "top20_10m.avx512.times_read": Row("… AVX-512", 0.5, over="top20_1m.avx512.times_read"),
    "counts_1m.us": Row("best 20 of 1 M with the counts of 12 filters"),
    "patch_1m.us": Row("a price or availability changed, 1 M cars", 1000),
    "build_1m.s": Row("catalogue of 1 M cars built", 1.5),
    "build_1m_unordered.s": Row("… from cars in no order"),
    "build_1m_over_100k": Row("… in order, over one of 100 k (linear: 10)"),
    "bytes_per_car": Row("memory for a car, all told"),
}
PEERS: dict[str, tuple[str, float | None]] = {
    "numpy": ("NumPy", 5),
    "polars": ("Polars", 10),
    "duckdb": ("DuckDB", 25),
    "postgres": ("PostgreSQL 15", 100),
    "postgres_covering": ("… with an index made for this statement", None),
}


# What is asked over HTTP, and what share of the floor it should have.
HTTP: dict[str, tuple[str, float | None]] = {
    "floor": ("floor", None),
    "distinct": ("new questionnaires", 0.30),
    "cached": ("one questionnaire again", 0.70),
    "distinct_redis_limits": ("new questionnaires, limits in Redis", None),
    "cached_redis_limits": ("one questionnaire again, limits in Redis", None),
}


# What the operator asks of the API server, and what it should not be above.
OPERATOR = {
    "unchanged.writes": Row("writes of a look at which nothing has changed", 0),
    "unchanged.lists": Row("… lists", 0),
    "unchanged.gets": Row("… GETs, Secrets by name apart", 1),
    "unchanged.secret_gets": Row("… GETs of Secrets by name"),
    "unchanged.microseconds": Row("… time"),
    "bringup.children": Row("objects that a resource is brought up with"),
    "bringup.writes_per_child": Row("… writes for each", 1),
    "bringup.status_writes": Row("… writes of the status", 4),
    "bringup.status_writes_until_autoscaling": Row("… and until the autoscaler has measurements"),
    "bringup.events": Row("… events"),
    "fleet.ready_seconds": Row("20 resources made at once, until all are ready"),
    "idle.requests_besides_lease_and_watch": Row("the 20 idle for two minutes: requests, Secrets by name apart", 0),
    "idle.secret_gets": Row("… GETs of Secrets by name"),
    "rss.mib": Row("… memory of the operator that leads"),
    "watches_work.look_p99": Row("from a change to its look, p99, while every watch works"),
    "watch_fails.look_p99": Row("… while another kind's watch fails again and again"),
    "watch_fails.look_p99_ratio": Row("… over that while all work", 1.5),
}

# Commands for backups at a million cars and a million events, and how much memory each may take in MiB: 256, and where a
# catalogue is built as much again as it takes.
BACKUPS = {
    "run": ("`backup run --no-verify`", 256),
    "run_proven": ("`backup run`, which proves it", 786),
    "verify": ("`backup verify`", 786),
    "restore": ("`backup restore`, with its safety backup", 256),
    "prune": ("`backup prune`", 256),
}


# What backups and restores take, and what each may at most. Figures end with the server's name, but those of the default.
DRILLS = {
    "backup.seconds": Row("a backup of 50,000 cars and 200,000 events, and its proof"),
    "backup.bytes": Row("… its size"),
    "backup.p99_quiet": Row("p99 of a list before and between backups"),
    "backup.p99_during": Row("… during backups"),
    "backup.p99_ratio": Row("… during over before", 1.3),
    "restore.in_place.seconds": Row("restored in place: from its declaration until every replica serves it"),
    "restore.emptied.seconds": Row("every key deleted: from the deletion until every replica serves what came back", 300),
    "restore.volume_lost.seconds": Row("Redis's volume and pod deleted: the same", 300),
    "restore.into_nothing.seconds": Row("into a new system on another server, from its making until every replica serves"),
    "restore.undo.seconds": Row("a restore undone, by the command line"),
    "restore.followed_s": Row("from a switch until every replica serves it, the slowest", 5),
    "restore.followed_100k_s": Row("… with 100,000 cars", 10),
    "restore.failed_requests": Row("lists and other reads that failed during the restore in place", 0),
    "restore.refused_writes": Row("writes that were refused during all of them, and sent again"),
    "restore.acknowledged_missing": Row("writes that were acknowledged and are missing", 0),
    "restore.records_differing": Row("records that are not as in the backup", 0),
    "crash.cases": Row("kills of Job, Redis, API and operator at borders of a restore"),
    "crash.bad": Row("… after which anything was neither old nor restored, or did not end by itself", 0),
    "crash.longest_s": Row("… the slowest end", 240),
    "crash.job_commands": Row("a small restore killed after each command to Redis in turn: commands"),
    "crash.redis_commands": Row("Redis killed after each: commands"),
}
# What goes into a stock: how long until its dealer is answered, until every replica serves it, and the most that may take.
STOCK = {
    "100,000 cars, the first time": ("put_100k_first.answered", "put_100k_first.seen", 10),
    "100,000 cars in place of as many": ("put_100k_again.answered", "put_100k_again.seen", 10),
    "1,000 cars of another dealer beside them": ("put_1k_beside_100k.answered", "put_1k_beside_100k.seen", 1),
    "100,000 cars by `import FILE`": ("import_100k.done", "import_100k.seen", 10),
    "a sale among them": ("patch_in_100k.answered.p50", "patch_in_100k.seen.p50", 1),
    "… the slowest": ("patch_in_100k.answered.max", "patch_in_100k.seen.max", 1),
}
# Who takes them: the memory at its most and afterwards, if it is there then, and the most that it may be.
STOCK_MEMORY = {
    "the first time": ("put_100k_first.peak", "put_100k_first.resident", 200),
    "in place of as many, with both catalogues for a moment": ("put_100k_again.peak", "put_100k_again.resident", 200),
    "the same while sales go on, each with a catalogue of its own": ("resident_peak.writer", "resident.writer", None),
    "`import FILE`, a process of its own": ("import_100k.peak", None, 200),
}
SUBJECTS = ("engine", "http", "stock", "operator", "backup", "drill")
SERVERS = {"Redis 7.0": "", "Redis 8.0": ".8.0", "Valkey 8.1": ".valkey-8.1"}


def read(path: pathlib.Path, subject: str) -> Values:
    """Value and unit by name, without the common beginning of the names."""
    begin = f"BENCH {subject}."
    lines = (line.removeprefix(begin).split() for line in path.read_text().splitlines() if line.startswith(begin))
    return {name: (float(value), unit) for name, value, unit in lines}


def processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def figure(value: float, unit: str) -> str:
    if unit == "us" and value >= 1000:
        return f"{value / 1000:,.2f} ms"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} " + {"us": "µs", "x": "×", "ratio": "×", "bytes": "bytes"}.get(unit, unit)


def engine_table(values: Values) -> str:
    rows = ["| what | value | target | |", "| --- | ---: | ---: | --- |"]
    for name, row in ENGINE.items():
        if name in values:
            value, unit = values[name]
            rows.append(f"| {row.text} | {figure(value, unit)} | {row.target()} | {row.judge(value, values)} |")
    return "\n".join(rows)


def sizes_table(values: Values) -> str:
    rows = ["| cars | best 20 | plain read |", "| ---: | ---: | ---: |"]
    for size, cars in SIZES.items():
        if f"top20_{size}.us" in values:
            best, plain = (figure(*values[f"{series}_{size}.us"]) for series in ("top20", "read"))
            rows.append(f"| {cars:,} | {best} | {plain} |")
    return "\n".join(rows)


def peers_table(values: Values) -> str:
    rows = ["| program | p50 | over ours | target | |", "| --- | ---: | ---: | ---: | --- |"]
    rows.append(f"| this engine, one thread | {figure(*values['top20_1m.ours_p50.us'])} | 1 × | | |")
    for name, (label, target) in PEERS.items():
        if f"top20_1m.{name}_over_ours" not in values:
            continue
        ratio, unit = values[f"top20_1m.{name}_over_ours"]
        judged = f"≥ {target} | {'met' if ratio >= target else 'not met'}" if target else " | "
        p50 = figure(*values[f"top20_1m.{name}_p50.us"])
        rows.append(f"| {label} | {p50} | {figure(ratio, unit)} | {judged} |")
    return "\n".join(rows)


def http_table(values: Values) -> str:
    rows = ["| what | requests/s | p50 | p99 | processor | of the floor | target | |"]
    rows.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, (label, target) in HTTP.items():
        if f"{name}.per_second" not in values:
            continue
        times = [figure(*values[f"{name}.{time}_us"]) for time in ("p50", "p99", "processor")]
        share = values.get(f"{name}.share_of_floor", (1.0, ""))[0]
        judged = f"≥ {target:.2f} | {'met' if share >= target else 'not met'}" if target else " | "
        cells = [label, f"{values[f'{name}.per_second'][0]:,.0f}", *times, f"{share:.2f}", judged]
        rows.append(f"| {' | '.join(cells)} |")
    ratio, early, late = (values[name][0] for name in ("connections_1000.p95_ratio", "rss_early.mib", "rss.mib"))
    return "\n".join(rows) + (
        f"\n\nMemory after 100,000 requests {early:.1f} MiB, after a million {late:.1f} (target ≤ 24)."
        f" Beside 1,000 open connections the p95 of 100 requests/s is {ratio:.2f} times what it is alone."
    )


def stock_tables(values: Values) -> str:
    rows = ["| what | answered | seen by both | target | |", "| --- | ---: | ---: | ---: | --- |"]
    for label, (answered, seen, most) in STOCK.items():
        value, unit = values[seen]
        judged = "met" if value / (1000 if unit == "ms" else 1) <= most else "not met"
        rows.append(f"| {label} | {figure(*values[answered])} | {figure(*values[seen])} | ≤ {most} s | {judged} |")
    rows += ["", "| memory of who takes them | most | afterwards | target | |"]
    rows.append("| --- | ---: | ---: | ---: | --- |")
    for label, (peak, resident, most) in STOCK_MEMORY.items():
        judged = f"≤ {most} MiB | {'met' if values[peak][0] <= most else 'not met'}" if most else " | "
        afterwards = figure(*values[resident]) if resident else ""
        rows.append(f"| {label} | {figure(*values[peak])} | {afterwards} | {judged} |")
    return "\n".join(rows)


def operator_table(values: Values) -> str:
    rows = ["| what | value | target | |", "| --- | ---: | ---: | --- |"]
    for name, row in OPERATOR.items():
        if name in values:
            value, unit = values[name]
            shown = f"{value:g}" if unit in ("requests", "objects") else figure(value, unit)
            rows.append(f"| {row.text} | {shown} | {row.target()} | {row.judge(value, values)} |")
    return "\n".join(rows)


def backups_table(values: Values) -> str:
    rows = ["| command | time | memory at its most | target | |", "| --- | ---: | ---: | ---: | --- |"]
    for name, (label, most) in BACKUPS.items():
        seconds, peak = values[f"{name}.seconds"], values[f"{name}.peak_mib"]
        judged = "met" if peak[0] <= most else "not met"
        rows.append(f"| {label} | {figure(*seconds)} | {figure(*peak)} | ≤ {most} MiB | {judged} |")
    size, reading = count_or_figure(*values["run.bytes"]), figure(*values["run.reading_hurried"])
    share = values["run.pace_share"][0]
    return "\n".join(rows) + (
        f"\n\nThe backup has {size}. Of the time of `backup run --no-verify`, {share:.0%} is the price of its pace:"
        f" before a restore the same is read in {reading}."
    )


def drills_table(values: Values) -> str:
    rows = [f"| what | {' | '.join(SERVERS)} | target | |", "| --- " + "| ---: " * (len(SERVERS) + 1) + "| --- |"]
    for name, row in DRILLS.items():
        measured = [values.get(name + ending) for ending in SERVERS.values()]
        if not any(measured):
            continue
        cells = ["" if one is None else count_or_figure(*one) for one in measured]
        judged = {row.judge(one[0], values) for one in measured if one is not None}
        verdict = "not met" if "not met" in judged else judged.pop()
        rows.append(f"| {row.text} | {' | '.join(cells)} | {row.target()} | {verdict} |")
    return "\n".join(rows)


def count_or_figure(value: float, unit: str) -> str:
    if unit in ("requests", "writes", "records", "cases", "count"):
        return f"{value:,.0f}"
    return f"{value / 1e6:.1f} MB" if unit == "bytes" else figure(value, unit)


def replace(page: str, mark: str, text: str) -> str:
    """Puts a text between the two comments that hold its place."""
    pattern = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{PAGE} has no place for {mark}")
    return pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def plot(values: Values, caption: str) -> str:
    """Time against number of cars, both logarithmic."""
    left, top, width, height = 80, 40, 520, 320
    points = {
        series: [
            (cars, values[f"{series}_{size}.us"][0])
            for size, cars in SIZES.items()
            if f"{series}_{size}.us" in values
        ]
        for series, _, _ in SERIES
    }
    times = [time for line in points.values() for _, time in line]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def across(cars: float) -> float:
        return left + (math.log10(cars) - 4) / (7.05 - 4) * width

    def down(time: float) -> float:
        return top + height - (math.log10(time) - low) / (high - low) * height

    grid, labels = [], []
    for power in range(4, 8):
        x = across(10**power)
        grid.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}"/>')
        name = {4: "10 k", 5: "100 k", 6: "1 M", 7: "10 M"}[power]
        labels.append(f'<text x="{x:.1f}" y="{top + height + 20}" text-anchor="middle">{name}</text>')
    for power in range(low, high + 1):
        y = down(10**power)
        grid.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}"/>')
        name = f"{10**power:g} µs" if power < 3 else f"{10 ** (power - 3):g} ms"
        labels.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
    lines = []
    for place, (series, label, colour) in enumerate(SERIES):
        path = " ".join(f"{across(cars):.1f},{down(time):.1f}" for cars, time in points[series])
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for cars, time in points[series]:
            tip = f"<title>{cars:,} cars: {figure(time, 'us')}</title>"
            lines.append(f'<circle cx="{across(cars):.1f}" cy="{down(time):.1f}" r="4" fill="{colour}">{tip}</circle>')
        y = top + 20 + 20 * place
        lines.append(f'<rect x="{left + 16}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        lines.append(f'<text x="{left + 38}" y="{y - 3}">{label}</text>')
    newline = "\n    "
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 430" font-family="sans-serif" font-size="12">
  <rect width="640" height="430" fill="#ffffff"/>
  <g stroke="#d0d7de" stroke-width="1">
    {newline.join(grid)}
  </g>
  <g fill="#24292f">
    <text x="{left}" y="24" font-size="14">Finding the best 20 cars, beside reading them</text>
    {newline.join(labels)}
    <text x="{left + width / 2:.0f}" y="{top + height + 42}" text-anchor="middle">cars in the catalogue</text>
    <text x="{left}" y="{top + height + 62}" fill="#57606a">{caption}</text>
    {newline.join(lines)}
  </g>
</svg>
"""


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    path = pathlib.Path(sys.argv[1])
    values, http, stock, operator, backups, drills = (read(path, subject) for subject in SUBJECTS)
    day = datetime.date.fromtimestamp(path.stat().st_mtime).isoformat()
    caption = f"{processor()}, {day}"
    page = PAGE.read_text()
    if "top20_1m.us" in values:
        page = replace(page, "engine", f"{caption}.\n\n{engine_table(values)}")
        page = replace(page, "sizes", sizes_table(values))
        PLOT.write_text(plot(values, caption))
    if "top20_1m.ours_p50.us" in values:
        page = replace(page, "peers", f"{caption}.\n\n{peers_table(values)}")
    if "rss.mib" in http:
        page = replace(page, "http", f"{caption}.\n\n{http_table(http)}")
    if "resident.writer" in stock:
        page = replace(page, "stock", f"{caption}.\n\n{stock_tables(stock)}")
    if "rss.mib" in operator:
        page = replace(page, "operator", f"{caption}.\n\n{operator_table(operator)}")
    if "prune.peak_mib" in backups:
        page = replace(page, "backups", f"{caption}.\n\n{backups_table(backups)}")
    if drills:
        page = replace(page, "drills", f"{caption}.\n\n{drills_table(drills)}")
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
