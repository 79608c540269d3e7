"""All checks ÷ the day's run in which they are made.

One run a round, of a day into an empty lake, which tells both (`checked.py`): the seconds that the checks of landing,
raw, dbt, warehouse, marts and serving took, and those of the whole job, imports not counted.
"""

from benchmarks.harness import Result
from benchmarks.lakes import checked_run
from benchmarks.sources import LAST, shop
from benchmarks.stack import Stack

TARGET = 0.10


def measure(stack: Stack, rounds: int, quick: bool) -> Result:
    """A day of 1 M details in 400,000 orders, with all that they refer to."""
    orders = 2_000 if quick else 400_000
    url = stack.source()
    shop(url, 1, orders)
    parts = []
    for _ in range(rounds + 1):  # once untimed: dbt parses its project, Dagster makes its tables
        with stack.lake(url, LAST, LAST) as settings:
            parts.append(checked_run(settings, LAST))
    parts = parts[1:]
    runs = [part["run"] for part in parts]
    checks = [sum(part.values()) - part["run"] for part in parts]
    what = "all checks ÷ the day's run in which they are made"
    return Result("checks", what, TARGET, checks, runs, facts={"orders": orders, "parts": parts})
