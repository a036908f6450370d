"""DuckDB: one statement over a table in memory."""

from __future__ import annotations

import duckdb
import numpy

from export import Answer, Export
from statement import statement


class WithDuckdb:
    name = "duckdb"

    def __init__(self, export: Export) -> None:
        self.connection = duckdb.connect(":memory:")
        columns = {
            "ordinal": numpy.arange(export.cars, dtype=numpy.uint32),
            "on_offer": export.on_offer,
            "category": export.category,
            "price": export.price,
            "price_hundreds": export.price_hundreds,
            "odometer_km": export.odometer_km,
            "year": export.year,
            **export.worth,
        }
        self.connection.register("columns", columns)
        self.connection.execute("CREATE TABLE car AS SELECT * FROM columns")
        self.connection.unregister("columns")
        self.statement = statement(export)
        (threads,) = self.connection.execute("SELECT current_setting('threads')").fetchone()
        self.setup = (
            f"DuckDB {duckdb.__version__}: a table in memory of narrow columns, one statement, {threads} threads"
        )

    def rank(self) -> Answer:
        return self.connection.execute(self.statement).fetchall()

    def close(self) -> None:
        self.connection.close()
