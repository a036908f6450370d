"""What the engine's benchmark wrote: the cars, the formula of one buyer, the filters and the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy

Answer = list[tuple[int, int]]


@dataclass(frozen=True)
class Price:
    """How a price becomes a worth; figures in whole hundreds of reais.

    255 at or below `minimum`, else (clamp(maximum - b, 0, range) * step + 32768) >> 16.
    """

    weight: int
    minimum: int
    maximum: int
    range: int
    step: int


@dataclass(frozen=True)
class Export:
    """Columns are in the order of ordinals: row 0 is ordinal 0."""

    cars: int
    on_offer: numpy.ndarray
    category: numpy.ndarray
    price: numpy.ndarray
    price_hundreds: numpy.ndarray
    odometer_km: numpy.ndarray
    year: numpy.ndarray
    # By criterion, guard applied where the buyer has one: it depends on the car alone, so nobody computes it at search.
    worth: dict[str, numpy.ndarray]
    weights: dict[str, int]
    price_scale: Price
    price_at_most: int
    required_category: int
    k: int
    # (ordinal, score), the best first.
    expected: Answer


def read(folder: Path) -> Export:
    described = json.loads((folder / "export.json").read_text())
    columns = {
        column["name"]: numpy.fromfile(folder / f"{column['name']}.bin", dtype=column["dtype"])
        for column in described["columns"]
    }
    for name, column in columns.items():
        if len(column) != described["cars"]:
            raise ValueError(f"{name} has {len(column)} values for {described['cars']} cars")
    guard = described["guard"]
    for criterion in guard["criteria"]:
        raw = columns[criterion].astype(numpy.int16)
        guarded = numpy.maximum(0, raw - numpy.maximum(0, guard["threshold"] - raw))
        counted = numpy.where(columns[f"{criterion}_known"] == 1, guarded, guard["gap"])
        columns[criterion] = counted.astype(numpy.uint8)
    if columns["price"].max() >= 2**31:
        raise ValueError("a price does not fit the 32 bits that the peers hold it in")
    (required_category,) = described["filters"]["category"]
    return Export(
        cars=described["cars"],
        on_offer=columns["on_offer"].astype(bool),
        category=columns["category"],
        price=columns["price"].astype(numpy.uint32),
        price_hundreds=(columns["price"] // 10_000).astype(numpy.uint16),
        odometer_km=columns["odometer_km"],
        year=columns["year"],
        worth={criterion: columns[criterion] for criterion in described["weights"]},
        weights=described["weights"],
        price_scale=Price(**described["price"]),
        price_at_most=described["filters"]["price_at_most"],
        required_category=required_category,
        k=described["k"],
        expected=[(ordinal, score) for ordinal, score in described["expected"]],
    )
