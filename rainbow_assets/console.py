"""What the command line shows: lines on standard output, progress on standard error.

Progress is a live bar on a terminal and plain lines elsewhere. Not here: what is done meanwhile.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


def output() -> Console:
    """Standard output, as it is now; 80 columns where it is no terminal."""
    return Console(highlight=False, emoji=False)


class Reporter:
    """Takes the news of one long piece of work; made by `progress`."""

    def advance(self, amount: float = 1) -> None:
        """`amount` more of the total is done."""

    def say(self, note: str) -> None:
        """What is being done now, in a few words."""


class _Bar(Reporter):
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self, amount: float = 1) -> None:
        self._bar.advance(self._task, amount)

    def say(self, note: str) -> None:
        self._bar.update(self._task, note=note)


class _Lines(Reporter):
    """A line for each note and each tenth of the total."""

    def __init__(self, title: str, total: float | None) -> None:
        self._title, self._total, self._done, self._tenths = title, total, 0.0, 0

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        if self._total and int(self._done / self._total * 10) > self._tenths:
            self._tenths = int(self._done / self._total * 10)
            _line(f"{self._title}: {self._done:,.0f} of {self._total:,.0f}")

    def say(self, note: str) -> None:
        _line(f"{self._title}: {note}")


@contextmanager
def progress(title: str, total: float | None = None) -> Iterator[Reporter]:
    """Show the progress of the block; `total` is what `advance` adds up to, None where that is unknown."""
    began = time.monotonic()
    console = Console(stderr=True, highlight=False, emoji=False)
    if console.is_terminal:
        count = [BarColumn(), MofNCompleteColumn()] if total else []
        columns = (SpinnerColumn(), TextColumn("{task.description}"), *count, TimeElapsedColumn())
        with Progress(*columns, TextColumn("[dim]{task.fields[note]}"), console=console, transient=True) as bar:
            yield _Bar(bar, bar.add_task(title, total=total, note=""))
    else:
        _line(f"{title} …")
        yield _Lines(title, total)
    _line(f"{title}: done in {time.monotonic() - began:.1f} s")


def _line(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
