"""Polars: one lazy query over a frame in memory."""

from __future__ import annotations

import polars
from polars import col

from export import Answer, Export


class WithPolars:
    name = "polars"

    def __init__(self, export: Export) -> None:
        self.export = export
        frame = polars.DataFrame(
            {
                "ordinal": polars.arange(0, export.cars, dtype=polars.UInt32, eager=True),
                "on_offer": export.on_offer,
                "category": export.category,
                "price": export.price,
                "price_hundreds": export.price_hundreds,
                "odometer_km": export.odometer_km,
                "year": export.year,
                **export.worth,
            }
        ).rechunk()
        scale = export.price_scale
        price = (
            polars.when(col("price_hundreds") <= scale.minimum)
            .then(255)
            .otherwise(
                ((scale.maximum - col("price_hundreds").cast(polars.Int32)).clip(0, scale.range) * scale.step + 32_768)
                // 65_536
            )
            .cast(polars.Int32)
            * scale.weight
        )
        score = polars.sum_horizontal(
            price, *(col(criterion).cast(polars.Int32) * weight for criterion, weight in export.weights.items())
        )
        self.query = (
            frame.lazy()
            .filter(
                (col("price") <= export.price_at_most)
                & (col("category") == export.required_category)
                & col("on_offer")
            )
            .select("ordinal", score.alias("score"), "price", "odometer_km", "year")
            .sort(
                "score", "price", "odometer_km", "year", "ordinal", descending=[True, False, False, True, False]
            )
            .head(export.k)
            .select("ordinal", "score")
        )
        self.setup = (
            f"Polars {polars.__version__}: narrow columns in one chunk, one lazy query (filter, score, sort, first "
            f"{export.k}), streaming engine, {polars.thread_pool_size()} threads"
        )

    def rank(self) -> Answer:
        # A tenth faster here than the engine in memory.
        return self.query.collect(engine="streaming").rows()

    def close(self) -> None:
        pass
