"""`rainbow reconcile` of five million rows that all agree ÷ PostgreSQL alone summing a hash of each of its rows a day.

Ours: `raw.reconcile.source.reconcile` of order details over 30 days: raw and source, every column, by sums a day.
Bare: the sums of the source's side, computed in PostgreSQL (md5 is the one hash that it and DuckDB share). Before the
rounds a row is changed in silence, one is lost and one is deleted, and each must be found. Asked are 10 seconds, so the
target is what makes the ratio 10 seconds.
"""

from statistics import median

from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.sources import LAST, first_day, order_details
from benchmarks.stack import Stack
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.write import extract
from rainbow_assets.raw.reconcile.land import Systems
from rainbow_assets.raw.reconcile.source import reconcile
from rainbow_assets.raw.register import register
from rainbow_assets.systems import ducklake, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

SECONDS = 10.0
TABLE = TABLES["orderdetails"]
SUMS = """
    SELECT updated_at::date, count(*), sum(('x' || left(md5(d::text), 16))::bit(64)::bigint::numeric)
    FROM orderdetails AS d GROUP BY 1"""
FAULTS = (
    "UPDATE orderdetails SET price = price + 0.01 WHERE (id, product_id) = (SELECT id, product_id FROM orderdetails "
    "WHERE updated_at >= '{day}' LIMIT 1)",
    "DELETE FROM orderdetails WHERE (id, product_id) = (SELECT id, product_id FROM orderdetails "
    "WHERE updated_at >= '{day}' ORDER BY id DESC LIMIT 1)",
    "INSERT INTO orderdetails VALUES (-1, 1, 1, 1.00, NULL, '{day}', '{day}', NULL)",
)


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """30 days of order details."""
    span, rows = 30, (50_000 if quick else 5_000_000)
    url, days = stack.source(), Days(first_day(span), LAST, open_start=True)
    order_details(url, span, rows)
    with stack.lake(url, days.first, days.last) as settings, ducklake.connect(settings) as connection:
        systems = Systems(settings, connection, iceberg.connect(settings), object_store.client(settings))
        bucket = settings.s3_bucket
        extract(connection, url, TABLE, Columns(TABLE.columns), days, [], bucket, "benchmark")
        files = landing_files.files(systems.s3, bucket, TABLE.name, days)
        register(connection, systems.catalog, TABLE, files, days, "benchmark")

        def look() -> tuple[int, int, int]:
            [found] = reconcile(systems, days, "benchmark", lambda _: None, dry_run=True, tables=(TABLE,))
            return found.late, found.gone, len(found.days)

        def ours() -> float:
            return timed(lambda: agree("reconciling", look(), (0, 0, 0)))

        def bare() -> float:
            return timed(lambda: postgres.fetch(url, "benchmark", SUMS))

        taken = alternate(rounds, ours, bare)
        with postgres.connect(url, "benchmark") as source:
            for statement in FAULTS:
                source.execute(statement.format(day=first_day(3)))
        agree("reconciling", look()[:2], (2, 1))
    facts = {"rows": rows, "days": span, "seconds": round(median(taken[0]), 1), "asked_s": SECONDS}
    what = "reconciling 5 M rows that agree ÷ PostgreSQL summing md5 of its own side"
    return Result("reconciling", what, SECONDS / median(taken[1]), taken[0], taken[1], facts=facts)
