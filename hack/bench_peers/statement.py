"""The ranking as one SQL statement, for every program that speaks SQL."""

from __future__ import annotations

from export import Export


def statement(export: Export) -> str:
    scale = export.price_scale
    terms = " + ".join(f"{criterion}::integer * {weight}" for criterion, weight in export.weights.items())
    below = f"least(greatest({scale.maximum} - price_hundreds::integer, 0), {scale.range})"
    price = (
        f"CASE WHEN price_hundreds <= {scale.minimum} THEN 255 ELSE ({below} * {scale.step} + 32768) >> 16 END"
    )
    return f"""
        SELECT ordinal, {terms} + {scale.weight} * ({price}) AS score
        FROM car
        WHERE on_offer AND category = {export.required_category} AND price <= {export.price_at_most}
        ORDER BY score DESC, price, odometer_km, year DESC, ordinal
        LIMIT {export.k}
    """
