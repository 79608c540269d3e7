"""Extraction ÷ the same query copied out of PostgreSQL to nothing.

Ours: `landing.write.extract` of every order detail, from PostgreSQL to a Parquet file on S3, with its count and its
checksum. Bare: `psql` with `COPY (the very same query) TO STDOUT (FORMAT binary)`, written to /dev/null: what
PostgreSQL and the wire cost, without a Parquet file. (psql's `\\copy` sends just that statement; unlike a plain COPY it
tells the number of rows.) Both read the same rows, warm in PostgreSQL's memory or in the system's.
"""

import os
import subprocess

from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.sources import LAST, first_day, order_details
from benchmarks.stack import Stack
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.write import extract, source_query
from rainbow_assets.postgres_url import fields_of
from rainbow_assets.stack.postgres import program
from rainbow_assets.systems import ducklake
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

TARGET = 1.2
TABLE = TABLES["orderdetails"]


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """5 M details of one day."""
    rows, span = (50_000 if quick else 5_000_000), 1
    url, days = stack.source(), Days(first_day(span), LAST)
    order_details(url, span, rows)
    with stack.lake(url, days.first, days.last) as settings, ducklake.connect(settings) as connection:

        def ours() -> float:
            found = []

            def work() -> None:
                found.append(
                    extract(connection, url, TABLE, Columns(TABLE.columns), days, [], settings.s3_bucket, "benchmark")
                )

            seconds = timed(work)
            agree("extraction", found[0].rows_written, rows)
            return seconds

        def bare() -> float:
            counted: list[int] = []
            seconds = timed(lambda: counted.append(copy_out(url, source_query(TABLE, Columns(TABLE.columns), days))))
            agree("extraction", rows, counted[0])
            return seconds

        taken = alternate(rounds, ours, bare)
    what = f"extraction of {rows / 1e6:g} M details to S3 ÷ COPY of the same query to nothing"
    return Result("extraction", what, TARGET, taken[0], taken[1], facts={"rows": rows, "days": span, "files": span})


def copy_out(url: str, query: str) -> int:
    """Let psql copy a query out in binary to /dev/null; the rows that it counted."""
    fields = fields_of(url)
    names = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGUSER": "user", "PGPASSWORD": "password"}
    told = subprocess.run(
        [str(program("psql")), "-X", "-c", f"\\copy ({query}) TO '/dev/null' (FORMAT binary)"],
        env=os.environ | {name: fields[field] for name, field in names.items()},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(told.stdout.removeprefix("COPY "))
