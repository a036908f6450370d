#!/usr/bin/env python3
"""Draws docs/images/points.svg from the worked example in docs/recommendation.md.

The engine's tests hold the table to what the engine answers; this holds the picture to the table.
`--check` only says whether the picture is up to date.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "recommendation.md"
PICTURE = REPOSITORY / "docs" / "images" / "points.svg"

ROW = re.compile(r"^\| `(?P<name>\w+)` \| .+ \| \d+ \| \d+ \| (?P<points>[\d.]+) \| (?P<missed>[\d.]+) \|$", re.MULTILINE)

LEFT, WIDTH, ROW_HEIGHT, BAR = 150, 600, 26, 18
# Full scale of the rows: the widest criterion has 14 points.
SCALE = WIDTH / 15
WON, LOST, INK = "#1f6f5c", "#bcd9d1", "#1d2b28"


def rows() -> list[tuple[str, float, float]]:
    """Criterion, points won, points missed, in the order of the table."""
    found = [(row["name"], float(row["points"]), float(row["missed"])) for row in ROW.finditer(PAGE.read_text())]
    if not found:
        sys.exit(f"{PAGE}: no row of the worked example was found")
    return found


def draw(table: list[tuple[str, float, float]]) -> str:
    """A bar for each criterion: what it won, and what it kept back; and the sum of both below."""
    height = ROW_HEIGHT * (len(table) + 2) + 20
    total = sum(won for _, won, _ in table)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 90} {height}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f"<title>Points of each criterion: {total:.1f} of 100</title>",
        f'<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for index, (name, won, missed) in enumerate(table):
        top = 10 + index * ROW_HEIGHT
        middle = top + BAR / 2 + 5
        parts.append(f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end" fill="{INK}">{name}</text>')
        parts.append(f'<rect x="{LEFT}" y="{top}" width="{won * SCALE:.1f}" height="{BAR}" fill="{WON}"/>')
        parts.append(
            f'<rect x="{LEFT + won * SCALE:.1f}" y="{top}" width="{missed * SCALE:.1f}" height="{BAR}" fill="{LOST}"/>'
        )
        end = LEFT + (won + missed) * SCALE + 8
        parts.append(f'<text x="{end:.1f}" y="{middle}" fill="{INK}">{won:.1f} of {won + missed:.1f}</text>')
    top = 10 + len(table) * ROW_HEIGHT + ROW_HEIGHT / 2
    middle = top + BAR / 2 + 5
    parts.append(f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end" font-weight="bold" fill="{INK}">match</text>')
    left = float(LEFT)
    for index, (_, won, _) in enumerate(table):
        width = won * WIDTH / 100
        shade = WON if index % 2 == 0 else "#2c8f77"
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{shade}"/>')
        left += width
    parts.append(f'<rect x="{left:.1f}" y="{top}" width="{LEFT + WIDTH - left:.1f}" height="{BAR}" fill="{LOST}"/>')
    parts.append(
        f'<text x="{LEFT + WIDTH + 8}" y="{middle}" font-weight="bold" fill="{INK}">{total:.1f} %</text>'
    )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the picture is out of date")
    check = parser.parse_args().check
    picture = draw(rows())
    if check:
        if PICTURE.read_text() != picture:
            print(f"{PICTURE.relative_to(REPOSITORY)} is out of date: run hack/points_picture.py", file=sys.stderr)
            return 1
        return 0
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
