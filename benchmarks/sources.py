"""The sources that the benchmarks read: a shop of so many days, or order details alone.

Here: rows in PostgreSQL. Not here: what is done with them.
"""

from datetime import date, timedelta

from rainbow_assets.shop.schema import create_schema
from rainbow_assets.shop.seed import seed
from rainbow_assets.systems import postgres

LAST = date(2025, 6, 30)
"""The last day of every source: any day that has passed would do."""

SEED = 42


def first_day(days: int) -> date:
    """The first of so many days."""
    return LAST - timedelta(days=days - 1)


def shop(source_url: str, days: int, orders_per_day: int) -> None:
    """Fill all ten tables as `rainbow seed` does; about 2.5 details an order."""
    seed(source_url, days, LAST, orders_per_day, SEED)


def order_details(source_url: str, days: int, rows: int) -> None:
    """Fill `orderdetails` alone, evenly over the days: ids that grow, prices with cents, a third with a promotion."""
    create_schema(source_url)
    with postgres.connect(source_url, "benchmark") as connection:
        connection.execute(
            """
            INSERT INTO orderdetails
            SELECT
                n / 3, mod(n, 3) + 3 * mod(n * 7919, 20000), 1 + mod(n, 4),
                (1000 + mod(mod(n * 48271, 2147483647), 9000000)) / 100.0,
                CASE WHEN mod(n, 3) = 0 THEN 1 + mod(n, 500) END, moment, moment, NULL
            FROM (
                SELECT n, %(first)s::timestamp + n * (%(days)s * interval '1 day' / %(rows)s) AS moment
                FROM generate_series(0::bigint, %(rows)s - 1) AS g (n)
            ) AS numbered
            """,
            {"first": first_day(days), "days": days, "rows": rows},
        )
        connection.execute("ANALYZE orderdetails")
    with postgres.connect(source_url, "benchmark") as connection:
        connection.autocommit = True
        connection.execute("VACUUM orderdetails")
