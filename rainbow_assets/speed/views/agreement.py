"""Did the speed part say what the batch layer found? Asked when a publication takes over what was live before.

Here: the comparison of both, by day. Not here: the check that reports it (`defs/serving`).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from clickhouse_connect.driver.client import Client

from rainbow_assets.serving.tables import Agreement

SAID = "speed_said"
# The flush that the live views show. On a server the stream may write another while a publication is made.
SHOWS = (
    "SELECT argMax(flush, refresh) FROM speed_refreshes WHERE publication = (SELECT max(publication) FROM publications)"
)
MEASURES = ("order_count", "sales_quantity", "sales_amount", "profit")


@dataclass(frozen=True)
class DayDifference:
    """A day for which the batch layer found more (positive) or less (negative) than the live views had said."""

    day: date
    order_count: int
    sales_quantity: int
    sales_amount: Decimal
    profit: Decimal

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.day}: {self.order_count:+,} orders, {self.sales_quantity:+,} pieces, {self.sales_amount:+,} sales, "
            f"{self.profit:+,} profit"
        )


def keep(client: Client) -> None:
    """Keep what the live views say now, until `compare`."""
    client.command(
        f"CREATE OR REPLACE TABLE {SAID} ENGINE = MergeTree ORDER BY order_date AS "
        f"SELECT *, ({SHOWS}) AS flush FROM v_sales_by_day"
    )


def compare(client: Client) -> Agreement:
    """Compare what the live views say now with what was kept.

    The sums of both must be equal where the speed layer had read the log as far as the batch layer has: the sales only
    pass from one part to the other.
    """
    query = (
        "SELECT live_until IS NOT NULL, live_until >= (SELECT max(verified_at) FROM batch_coverage) FROM v_watermark"
    )
    [(runs, is_level)] = client.query(query).result_rows
    if not runs:
        return Agreement(reason="No stream has run.")
    if not is_level:
        return Agreement(
            reason="The stream has not read as far as the batch layer: start `rainbow stream`, or see its lag."
        )
    if client.query(f"SELECT count() FROM {SAID} WHERE flush != ({SHOWS})").result_rows != [(0,)]:
        return Agreement(reason="The stream went on meanwhile; the next publication is compared.")
    sums = ", ".join(f"sum({name} * side) AS more_{name}" for name in MEASURES)
    rows = client.query(
        f"SELECT order_date, {sums} FROM ("
        f"SELECT *, 1 AS side FROM v_sales_by_day UNION ALL SELECT * EXCEPT (flush), -1 FROM {SAID}) "
        f"GROUP BY order_date HAVING {' OR '.join(f'more_{name} != 0' for name in MEASURES)} ORDER BY order_date"
    ).result_rows
    return Agreement(tuple(DayDifference(*row) for row in rows))
