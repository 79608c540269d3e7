"""`python -m benchmarks.checked DAY`: run `batch_job` for a day, and tell what its checks took.

What is counted: dbt's data tests (by dbt's own clock), the steps `audit` and `quality` until the next step, and the
functions that check within the steps of landing, raw and serving. It prints seconds as JSON: each of these, and `run`,
the whole job. Not counted: the events that record the results.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from rainbow_assets.cli.launch import run_batch
from rainbow_assets.defs.serving import assets as serving
from rainbow_assets.defs.transform import assets as transform
from rainbow_assets.landing import arrival, transactions
from rainbow_assets.raw import compare, volume

STEPS = {"audit", "quality"}
FUNCTIONS = (
    (compare, "broken_files"),
    (compare, "source_in_raw"),
    (compare, "catalogs_agree"),
    (arrival, "delay"),
    (arrival, "late"),
    (arrival, "ahead"),
    (arrival, "behind"),
    (transactions, "look"),
    (volume, "volumes"),
    (serving, "compare"),
)


def main(day: date) -> dict[str, float]:
    """The seconds of each kind of check, and of the run."""
    seconds: dict[str, float] = defaultdict(float)
    for module, name in FUNCTIONS:
        setattr(module, name, clocked(getattr(module, name), name, seconds))
    stream = transform._stream

    def streamed(build: Any, target: Path) -> Iterator[object]:  # noqa: ANN401 - dagster-dbt's invocation
        yield from stream(build, target)
        results = build.get_artifact("run_results.json")["results"]
        tests = [result["execution_time"] for result in results if result["unique_id"].startswith("test.")]
        seconds["dbt tests"] += sum(tests)

    transform._stream = streamed
    steps: list[tuple[str, float]] = []
    begin = time.perf_counter()
    with redirect_stdout(sys.stderr):
        outcome = run_batch(day, day, lambda step: steps.append((step, time.perf_counter())))
    whole = time.perf_counter() - begin
    if not outcome.success:
        raise RuntimeError(f"The run failed: {outcome.failures}")
    for (step, started), (_, ended) in pairwise(steps):
        if step in STEPS:
            seconds[step] += ended - started
    return {**seconds, "run": whole}


def clocked(function: Callable[..., object], name: str, seconds: dict[str, float]) -> Callable[..., object]:
    """The function, whose seconds are added up."""

    def timed(*arguments: object, **options: object) -> object:
        begin = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            seconds[name] += time.perf_counter() - begin

    return timed


if __name__ == "__main__":
    print(json.dumps(main(date.fromisoformat(sys.argv[1]))))
