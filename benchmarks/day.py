"""One day's run ÷ the bare statements that do the same reads, joins and writes; the fixed part apart.

Ours: `rainbow run DATE` into an empty lake, the whole process from a cold interpreter. Fixed: the same command, also
into an empty lake, for a day on which nothing changed: imports, Dagster, dbt's start, 26 models, the checks, and the
publication of nothing; whatever is left of the run is what the rows cost. Bare: `bare.py` on the same day of the same
source, into an empty lake too, its imports not counted. All three start a new process on new catalogs, a new bucket and
a new ClickHouse, which are made before the clock starts. Rows and money of every table must agree, in the lake and in
ClickHouse.
"""

from datetime import timedelta

from benchmarks.harness import Result, agree, alternate
from benchmarks.lakes import bare_run, contents, rainbow_run
from benchmarks.sources import LAST, shop
from benchmarks.stack import Stack

TARGET = 1.3


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """A day of 1 M details in 400,000 orders, with all that they refer to."""
    orders = 2_000 if quick else 400_000
    url, unchanged = stack.source(), LAST + timedelta(days=1)
    shop(url, 1, orders)
    phases: list[dict[str, float]] = []
    found: dict[str, dict[str, tuple[object, ...]]] = {}

    def ours() -> float:
        with stack.lake(url, LAST, unchanged) as settings:
            seconds = rainbow_run(settings, LAST, LAST)
            found["ours"] = contents(settings)
        return seconds

    def fixed() -> float:
        with stack.lake(url, LAST, unchanged) as settings:
            return rainbow_run(settings, unchanged, unchanged)

    def bare() -> float:
        with stack.lake(url, LAST, unchanged) as settings:
            phases.append(bare_run(settings, LAST, LAST))
            found["bare"] = contents(settings)
        return phases[-1]["total"]

    fixed()  # once untimed: dbt parses its project, Dagster makes its tables
    taken = alternate(rounds, ours, fixed, bare)
    agree("one day's run", found["ours"], found["bare"])
    facts = {"orders": orders, "facts": found["ours"]["fact_sales"][0], "bare_phases": phases}
    what = "one day's run, without the fixed part ÷ the bare statements"
    return Result("day", what, TARGET, taken[0], taken[2], fixed=taken[1], facts=facts)
