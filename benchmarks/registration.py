"""Registering day-files in both catalogs ÷ writing them.

Ours: `raw.register.register` of 30 new files of order details, one a day, in Iceberg and DuckLake, whose tables
exist. The other side: `landing.write.extract`, which wrote those files from PostgreSQL to S3. Each round writes 30
new files and registers them, so the two alternate by nature; the rows of the new files are counted in both catalogs.
"""

from benchmarks.harness import Result, agree, timed
from benchmarks.sources import LAST, first_day, order_details
from benchmarks.stack import Stack
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.landing.write import extract
from rainbow_assets.raw.register import register
from rainbow_assets.systems import ducklake, iceberg
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

TARGET = 0.05
TABLE = TABLES["orderdetails"]


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """30 days of 100,000 details each."""
    span, rows = 30, (30_000 if quick else 3_000_000)
    url, days = stack.source(), Days(first_day(span), LAST)
    order_details(url, span, rows)
    files: list[LandingFile] = []
    with stack.lake(url, days.first, days.last) as settings, ducklake.connect(settings) as connection:
        catalog = iceberg.connect(settings)
        register(connection, catalog, TABLE, [], days, "benchmark")  # makes the tables

        def write() -> float:
            def work() -> None:
                done = extract(
                    connection, url, TABLE, Columns(TABLE.columns), days, [], settings.s3_bucket, "benchmark"
                )
                files[:] = list(done.files)

            return timed(work)

        def enter() -> float:
            seconds = timed(lambda: register(connection, catalog, TABLE, files, days, "benchmark"))
            uris = [file.uri for file in files]
            held = iceberg.files(catalog.load_table(("raw", TABLE.name)), days.first, days.last)
            known = ducklake.known_files(connection, "raw", TABLE.name, uris)
            agree("registration in Iceberg", sum(held[uri] for uri in uris), rows)
            agree("registration in DuckLake", sum(known[uri] for uri in uris), rows)
            return seconds

        pairs = [(write(), enter()) for _ in range(rounds)]
    what = "registering 30 day-files in both catalogs ÷ writing them"
    facts = {"files": span, "rows_a_file": rows // span}
    return Result("registration", what, TARGET, [pair[1] for pair in pairs], [pair[0] for pair in pairs], facts=facts)
