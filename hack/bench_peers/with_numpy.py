"""NumPy: masks to find the cars that pass, arithmetic on those alone, a partition before the sort."""

from __future__ import annotations

import numpy

from export import Answer, Export


class WithNumpy:
    name = "numpy"

    def __init__(self, export: Export) -> None:
        self.export = export
        self.weights = numpy.array(list(export.weights.values()), dtype=numpy.float32)
        # A row for each car, so that the worths of one lie side by side.
        self.worth = numpy.ascontiguousarray(numpy.stack(list(export.worth.values()), axis=1))
        self.setup = (
            f"NumPy {numpy.__version__}: price filter and category as masks over columns; worths of a car side by "
            "side, gathered for the cars that pass and weighted by a matrix product in float32 (exact below 2^24); "
            "partition, then a sort of what may be among the best; one thread, which is quicker here than more"
        )

    def rank(self) -> Answer:
        export, scale = self.export, self.export.price_scale
        passes = export.price <= export.price_at_most
        passes &= export.category == export.required_category
        passes &= export.on_offer
        rows = numpy.flatnonzero(passes)
        scores = self.worth.take(rows, axis=0).astype(numpy.float32) @ self.weights
        hundreds = export.price_hundreds.take(rows).astype(numpy.int32)
        worth = numpy.clip(scale.maximum - hundreds, 0, scale.range)
        worth *= scale.step
        worth += 32_768
        worth >>= 16
        worth[hundreds <= scale.minimum] = 255
        worth *= scale.weight
        worth += scores.astype(numpy.int32)
        if len(worth) > export.k:
            # Whatever ties with the last place stays in: the sort decides.
            least = numpy.partition(worth, len(worth) - export.k)[len(worth) - export.k]
            near = numpy.flatnonzero(worth >= least)
            rows, worth = rows[near], worth[near]
        order = numpy.lexsort(
            (rows, -export.year[rows].astype(numpy.int32), export.odometer_km[rows], export.price[rows], -worth)
        )[: export.k]
        return list(zip(rows[order].tolist(), worth[order].tolist()))

    def close(self) -> None:
        pass
