"""`python -m benchmarks [--only NAME …] [--quick] [--rounds N]`: start a stack, measure, report, stop the stack."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from benchmarks import (
    api,
    backfill,
    change,
    checks,
    day,
    extraction,
    history,
    live,
    publishing,
    queries,
    reconciling,
    registration,
    report,
    stream,
    transaction,
)
from benchmarks.harness import Result, timed
from benchmarks.stack import Stack, running_stack

BENCHMARKS: dict[str, Callable[[Stack, int, bool], Result | tuple[Result, ...]]] = {
    "extraction": extraction.measure,
    "registration": registration.measure,
    "reconciling": reconciling.measure,
    "day": day.measure,
    "history": history.measure,
    "publishing": publishing.measure,
    "stream": stream.measure,
    "live": live.measure,
    "transaction": transaction.measure,
    "backfill": backfill.measure,
    "api": api.measure,
    "checks": checks.measure,
    "change": change.measure,
    "queries": queries.measure,
}


def main() -> None:
    """Measure what the arguments name; a benchmark that fails ends the program, after the report of the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: does it work?")
    parser.add_argument("--rounds", type=int, help="default: 5, or 1 with --quick")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    began, facts, quick, results = datetime.now(UTC), report.machine(), arguments.quick, list[Result]()
    try:
        with running_stack() as stack:
            for name in arguments.only or BENCHMARKS:
                say(f"{name} …")
                seconds = timed(partial(measure, name, results, stack, rounds, quick))
                say(f"{name}: {results[-1].ratio:.2f}, measured in {seconds:.0f} s")
    finally:
        if results:
            report.show(results, rounds, quick)
            print(f"Every timing: {report.write(results, facts, began, quick)}")


def measure(name: str, results: list[Result], stack: Stack, rounds: int, quick: bool) -> None:
    """Append the ratios of one benchmark; most have one."""
    found = BENCHMARKS[name](stack, rounds, quick)
    results += found if isinstance(found, tuple) else [found]


def say(text: str) -> None:
    """A line about the progress, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
