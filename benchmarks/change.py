"""One day with 1 % changed keys ÷ a full rebuild over 90 days.

A lake is filled by one run over 90 days. Then, each round, one in a hundred customers, products, sellers, promotions
and orders (with their details) changes on a new day. Ours: `rainbow run` of that day, the whole process; fixed: of a
day on which nothing changed, on the same lake. Bare: `rainbow run --from --to` over all days into an empty lake, with
all that it takes. Both lakes must hold the same facts.
"""

from datetime import date, timedelta

import psycopg

from benchmarks.harness import Result, agree
from benchmarks.lakes import rainbow_run
from benchmarks.sources import LAST, first_day, shop
from benchmarks.stack import Stack
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake

TARGET = 0.05
CHANGES = {
    "customers": "first_name = first_name || '.'",
    "products": "name = name || '.'",
    "sellers": "name = name || '.'",
    "promotions": "name = name || '.'",
    "orders": "payment_id = 1 + mod(payment_id, 5)",
    "orderdetails": "quantity = quantity + 1",
}


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """4,000 orders, about 10,000 details a day: 900,000 details."""
    span, orders = (9, 100) if quick else (90, 4_000)
    url, first = stack.source(), first_day(span)
    shop(url, span, orders)
    ours, fixed, bare, rows = [], [], [], []
    with stack.lake(url, first, LAST + timedelta(days=2 * rounds)) as settings:
        rainbow_run(settings, first, LAST)
        for number in range(rounds):
            day = LAST + timedelta(days=2 * number + 1)
            rows.append(change(url, day, number))
            ours.append(rainbow_run(settings, day, day))
            unchanged = day + timedelta(days=1)
            fixed.append(rainbow_run(settings, unchanged, unchanged))
            with stack.lake(url, first, unchanged) as rebuilt:
                bare.append(rainbow_run(rebuilt, first, unchanged))
                agree("the facts", facts(settings), facts(rebuilt))
    what = f"one day with 1 % changed keys, without the fixed part ÷ a full rebuild over {span} days"
    sizes = {"days": span, "orders_a_day": orders, "rows_changed": rows}
    return Result("change", what, TARGET, ours, bare, fixed=fixed, facts=sizes)


def change(source_url: str, day: date, number: int) -> dict[str, int]:
    """Change the keys that end in `number`, of a hundred, on `day`; how many rows of each table."""
    with psycopg.connect(source_url) as connection:
        return {
            table: connection.execute(
                f"UPDATE {table} SET {what}, updated_at = %s WHERE mod(id, 100) = %s", [day, number]
            ).rowcount
            for table, what in CHANGES.items()
        }


def facts(settings: Settings) -> tuple[object, ...]:
    """Rows, pieces and money of the facts."""
    query = "SELECT count(*), sum(sales_quantity), sum(extended_sales_amount) FROM lake.warehouse.fact_sales"
    with ducklake.connect(settings, read_only=True) as lake:
        return lake.execute(query).fetchall()[0]
