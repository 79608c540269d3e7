"""Queries after 90 daily runs and maintenance ÷ on a fresh single build.

Two lakes over one source: one is filled by 90 runs, a day each, and then kept by `rainbow maintain`; the other by one
run over all days. A round asks both the same questions, in DuckDB over the lake (the star joined, one day, one
customer, the versions of a time, the marts) and in ClickHouse (the views), on connections that have answered them once.
The answers must be the same.
"""

from contextlib import ExitStack
from datetime import timedelta

from benchmarks.harness import Result, agree, alternate, timed
from benchmarks.lakes import maintain, rainbow_run
from benchmarks.sources import LAST, first_day, shop
from benchmarks.stack import Stack
from rainbow_assets.serving.tables import SERVED
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake

TARGET = 1.1
TIMES = 5  # each question in a round
STAR = """
    FROM lake.warehouse.fact_sales AS facts
    JOIN lake.warehouse.dim_dates AS dates USING (date_key)
    JOIN lake.warehouse.dim_products AS products USING (product_key)
    JOIN lake.warehouse.dim_customers AS customers USING (customer_key)"""
QUESTIONS = (
    f"SELECT dates.year, dates.month, products.category, sum(extended_sales_amount) {STAR} GROUP BY ALL ORDER BY ALL",
    f"SELECT dates.day_name, count(DISTINCT customers.customer_id) {STAR} GROUP BY ALL ORDER BY ALL",
    f"SELECT count(*), sum(sales_quantity) FROM lake.warehouse.fact_sales WHERE date_key = {LAST:%Y%m%d}",
    f"SELECT count(*), sum(extended_sales_amount) {STAR} WHERE customers.customer_id = 17",
    f"SELECT count(*) FROM lake.warehouse.dim_products WHERE DATE '{LAST}' >= valid_from AND DATE '{LAST}' < valid_to",
    *(f"FROM lake.marts.{served.name} ORDER BY ALL" for served in SERVED if served.schema == "marts"),
)


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """4,000 orders, about 10,000 details a day: 900,000 details."""
    span, orders = (3, 100) if quick else (90, 4_000)
    url, first = stack.source(), first_day(span)
    shop(url, span, orders)
    with ExitStack() as open_ones:
        daily, fresh = (open_ones.enter_context(stack.lake(url, first, LAST)) for _ in range(2))
        days = [first + timedelta(days=number) for number in range(span)]
        runs = [rainbow_run(daily, day, day) for day in days]
        maintain(daily)
        rainbow_run(fresh, first, LAST)
        answers: dict[str, list[object]] = {}
        taken = alternate(rounds, lambda: ask(daily, answers, "daily"), lambda: ask(fresh, answers, "fresh"))
        agree("the answers", answers["daily"], answers["fresh"])
    what = f"queries after {span} daily runs and maintenance ÷ on a fresh single build"
    sizes = {"days": span, "orders_a_day": orders, "seconds_of_the_daily_runs": runs}
    return Result("queries", what, TARGET, taken[0], taken[1], facts=sizes)


def ask(settings: Settings, answers: dict[str, list[object]], name: str) -> float:
    """Ask all once untimed, for the answers, then some times more; the seconds of these."""
    views = [f"SELECT * FROM {served.view} ORDER BY ALL" for served in SERVED if served.schema == "marts"]
    with ducklake.connect(settings, read_only=True) as lake, clickhouse.connect(settings) as client:

        def answer() -> list[object]:
            found: list[object] = [lake.execute(question).fetchall() for question in QUESTIONS]
            return found + [client.query(view).result_rows for view in views]

        answers[name] = answer()
        return timed(lambda: [answer() for _ in range(TIMES)])
