"""A backfill of 90 days in one run ÷ 90 times the bare statements of one day.

Ours: `rainbow run --from --to` over 90 days into an empty lake, the whole process, cold, with its fixed part. Bare:
`bare.py` for one of these days, that with the median number of details, into an empty lake, its imports not counted; it
counts 90 times. The facts of the backfill must be the details in the source that are not deleted, and the bare run must
have landed the day's details.
"""

from datetime import date

from benchmarks.harness import Result, agree, alternate
from benchmarks.lakes import bare_run, rainbow_run
from benchmarks.sources import LAST, first_day, shop
from benchmarks.stack import Stack
from rainbow_assets.systems import ducklake, postgres

TARGET = 1.1


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """4,000 orders, about 10,000 details a day."""
    span, orders = (9, 100) if quick else (90, 4_000)
    url, first = stack.source(), first_day(span)
    shop(url, span, orders)
    day, details = median_day(url)
    live = "SELECT count(*) FROM orders o JOIN orderdetails d USING (id) WHERE o.deleted_at IS NULL"
    facts = postgres.fetch(url, "benchmark", f"{live} AND d.deleted_at IS NULL")[0][0]
    phases: list[dict[str, float]] = []

    def ours() -> float:
        with stack.lake(url, first, LAST) as settings:
            seconds = rainbow_run(settings, first, LAST)
            with ducklake.connect(settings, read_only=True) as lake:
                agree("backfill", ducklake.row_count(lake, "warehouse", "fact_sales"), facts)
        return seconds

    def bare() -> float:
        with stack.lake(url, first, LAST) as settings:
            phases.append(bare_run(settings, day, day))
            with ducklake.connect(settings, read_only=True) as lake:
                agree("bare day", details, ducklake.row_count(lake, "raw", "orderdetails"))
        return phases[-1]["total"]

    taken = alternate(rounds, ours, bare)
    what = f"a backfill of {span} days in one run ÷ ({span} × the bare statements of one day)"
    sizes = {"days": span, "facts": facts, "details_of_the_bare_day": details, "bare_phases": phases}
    return Result("backfill", what, TARGET, taken[0], taken[1], factor=span, facts=sizes)


def median_day(source_url: str) -> tuple[date, int]:
    """The day with the median number of details by `updated_at`, and that number."""
    query = "SELECT updated_at::date, count(*) FROM orderdetails GROUP BY 1 ORDER BY 2"
    days = postgres.fetch(source_url, "benchmark", query)
    return days[len(days) // 2][0], days[len(days) // 2][1]
