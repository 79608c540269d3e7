"""The measure: two sides timed alternately, and the ratio of their medians.

Here: the clock, the alternation and the result. Not here: what is timed, and how a result looks (`report.py`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

Side = Callable[[], float]
"""Does its work once and returns the seconds that count; what it prepares and clears away does not."""


@dataclass(frozen=True)
class Result:
    """One ratio: every timing in seconds, in the order of the rounds.

    `bare` counts `factor` times. `fixed` is what `ours` takes whatever its rows, where that is reported apart.
    `facts`: the sizes, and what else the reader should know.
    """

    name: str
    what: str
    target: float
    ours: list[float]
    bare: list[float]
    fixed: list[float] = field(default_factory=list)
    factor: int = 1
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def total_ratio(self) -> float:
        """Median of all of ours over median of bare."""
        return median(self.ours) / (self.factor * median(self.bare))

    @property
    def ratio(self) -> float:
        """The same without the fixed part: the measured figure that stands against the target."""
        return (median(self.ours) - median(self.fixed or [0.0])) / (self.factor * median(self.bare))

    @property
    def is_hit(self) -> bool:
        """Whether the ratio meets its target."""
        return self.ratio <= self.target


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(rounds: int, *sides: Side) -> list[list[float]]:
    """Run the sides in turn, `rounds` times; every other round in reverse, so that none always goes first.

    Returns the seconds of each side, in the order of the rounds.
    """
    seconds: list[list[float]] = [[] for _ in sides]
    for number in range(rounds):
        turns = list(zip(sides, seconds, strict=True))
        for side, taken in turns if number % 2 == 0 else reversed(turns):
            taken.append(side())
    return seconds


def agree(what: str, ours: object, bare: object) -> None:
    """See that both sides came to the same, so that nobody is measured doing nothing.

    Raises:
        RuntimeError: they did not; the figures would mean nothing.
    """
    if ours != bare:
        raise RuntimeError(f"{what}: the sides differ, ours {ours}, bare {bare}.")
