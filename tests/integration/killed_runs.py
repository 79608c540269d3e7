"""`python killed_runs.py FIRST LAST POINT…`: runs of `batch_job`, each killed (SIGKILL) at its point; a line for each.

Here: the hooks around the pipeline's own functions, which the product does not have. The graph is imported once, and
each run is a fork of this process. A point is `module:function,nth call,before or after,self or group`, or
`step:NAME`. Of `group`, the dbt that a run has started dies with it, as it does with its container.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from itertools import count
from typing import Any


def kill(whom: str = "self") -> None:
    if whom == "group":
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> Callable[[str], None]:
    """Set the hook; returns what hears of the steps that start."""
    if point.startswith("step:"):
        return lambda step: kill() if step == point.removeprefix("step:") else None
    place, nth, when, whom = point.split(",")
    module, name = place.split(":")
    owner = importlib.import_module(f"rainbow_assets.{module}")
    function, calls = getattr(owner, name), count(1)

    def hooked(*arguments: Any, **options: Any) -> Any:
        is_now = next(calls) == int(nth)
        if is_now and when == "before":
            kill(whom)
        result = function(*arguments, **options)
        if is_now and when == "after":
            kill(whom)
        return result

    setattr(owner, name, hooked)
    return lambda _step: None


def main() -> None:
    first, last = map(date.fromisoformat, sys.argv[1:3])
    from rainbow_assets.cli.launch import run_batch

    for point in sys.argv[3:]:
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            outcome = run_batch(first, last, arm(point))
            sys.stdout.write(f"{outcome}\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ended = f"killed by {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "ended by itself"
        sys.stdout.write(f"{point} {ended}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
