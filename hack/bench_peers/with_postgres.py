"""PostgreSQL: a server of its own in a temporary folder, reached by its socket alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import psycopg

from export import Answer, Export
from statement import statement

# Debian keeps the server's programs out of the PATH, by version.
PROGRAMS = Path("/usr/lib/postgresql")
# PostgreSQL refuses to run as root; Debian's package brings this user.
USER = "postgres"
SETTINGS = {
    "listen_addresses": "''",
    # The table and its index lie in memory whole.
    "shared_buffers": "1GB",
    "work_mem": "64MB",
    "effective_cache_size": "4GB",
    # Nothing has to outlive the measurement.
    "fsync": "off",
    "autovacuum": "off",
    "random_page_cost": "1.1",
    # Compiling one statement takes longer than running it here.
    "jit": "off",
}


class WithPostgres:
    """With the index that anyone would make for such questions."""

    name = "postgres"
    index_named = "index on (category, price) of cars on offer"

    def index(self, _columns: list[str]) -> str:
        return "CREATE INDEX car_search ON car (category, price) WHERE on_offer"

    def __init__(self, export: Export) -> None:
        self.programs = installed()
        self.folder = Path(tempfile.mkdtemp(prefix="bench-peers-"))
        self.connection = None
        try:
            self.start()
            self.connection = psycopg.connect(host=str(self.folder), user=USER, dbname="postgres", autocommit=True)
            self.load(export)
        except BaseException:
            self.close()
            raise
        self.statement = statement(export)
        plan = self.connection.execute(f"EXPLAIN {self.statement}").fetchall()
        print("\n".join(f"    {line}" for (line,) in plan), file=sys.stderr)
        (workers,) = self.connection.execute("SHOW max_parallel_workers_per_gather").fetchone()
        version = self.connection.info.parameter_status("server_version")
        self.setup = (
            f"PostgreSQL {version}: whole table in shared buffers, prewarmed; {self.index_named}, vacuumed and "
            f"analysed; a prepared statement over a socket; {workers} parallel workers per gather (the default), "
            "jit off"
        )

    def start(self) -> None:
        data = self.folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER)
        self.run("initdb", "--pgdata", data, "--username", USER, "--auth", "trust", "--no-sync")
        settings = {**SETTINGS, "unix_socket_directories": f"'{self.folder}'"}
        with open(data / "postgresql.conf", "a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.run("pg_ctl", "--pgdata", data, "--log", self.folder / "log", "--wait", "start")

    def run(self, program: str, *arguments: object) -> None:
        command = [str(self.programs / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", USER, "--", *command]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def load(self, export: Export) -> None:
        columns: dict[str, tuple[str, numpy.ndarray]] = {
            "ordinal": ("integer", numpy.arange(export.cars, dtype=numpy.int32)),
            "price": ("integer", export.price),
            "odometer_km": ("integer", export.odometer_km),
            "price_hundreds": ("integer", export.price_hundreds),
            "year": ("smallint", export.year),
            "category": ("smallint", export.category),
            **{criterion: ("smallint", worth) for criterion, worth in export.worth.items()},
            "on_offer": ("boolean", export.on_offer),
        }
        types = ", ".join(f"{name} {kind} NOT NULL" for name, (kind, _) in columns.items())
        self.connection.execute(f"CREATE UNLOGGED TABLE car ({types})")
        with self.connection.cursor().copy(f"COPY car ({', '.join(columns)}) FROM STDIN") as copy:
            for row in zip(*(values.tolist() for _, values in columns.values())):
                copy.write_row(row)
        self.connection.execute(self.index(list(columns)))
        self.connection.execute("VACUUM (ANALYZE, FREEZE) car")
        self.connection.execute("CREATE EXTENSION pg_prewarm")
        self.connection.execute("SELECT pg_prewarm('car'), pg_prewarm('car_search')")

    def rank(self) -> Answer:
        return self.connection.execute(self.statement, prepare=True).fetchall()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        if (self.folder / "data" / "postmaster.pid").exists():
            self.run("pg_ctl", "--pgdata", self.folder / "data", "--mode", "fast", "--wait", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


class WithPostgresCovering(WithPostgres):
    """With an index made for this one statement: it holds every column that the statement reads."""

    name = "postgres_covering"
    index_named = "index on (category, price) of cars on offer that covers every column of the statement"

    def index(self, columns: list[str]) -> str:
        covered = [name for name in columns if name not in ("category", "price", "on_offer")]
        return f"CREATE INDEX car_search ON car (category, price) INCLUDE ({', '.join(covered)}) WHERE on_offer"


def installed() -> Path:
    """The folder with the server's programs; root has Debian's package installed when there is none."""
    if not found() and os.geteuid() == 0:
        print("installing PostgreSQL from Debian", file=sys.stderr, flush=True)
        apt = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql", "postgresql-contrib"]
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], check=True, env=quiet, stdout=subprocess.DEVNULL)
        subprocess.run(apt, check=True, env=quiet, stdout=subprocess.DEVNULL)
    if not found():
        raise RuntimeError(f"no PostgreSQL under {PROGRAMS} (Debian: apt-get install postgresql)")
    return found()[-1]


def found() -> list[Path]:
    return sorted(PROGRAMS.glob("*/bin"), key=lambda folder: int(folder.parent.name))
