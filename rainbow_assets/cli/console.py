"""What the command line shows: lines on standard output, progress on standard error.

Progress is a live bar on a terminal and plain lines elsewhere. Not here: what is done meanwhile.
"""

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column


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

    def __init__(self, out: TextIO, title: str, total: float | None) -> None:
        self._out, self._title, self._total, self._done, self._tenths = out, title, total, 0.0, 0

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        if self._total and int(self._done / self._total * 10) > self._tenths:
            self._tenths = int(self._done / self._total * 10)
            _line(self._out, f"{self._title}: {self._done:,.0f} of {self._total:,.0f}")

    def say(self, note: str) -> None:
        _line(self._out, f"{self._title}: {note}")


@contextmanager
def progress(title: str, total: float | None = None) -> Iterator[Reporter]:
    """Show the progress of the block; `total` is what `advance` adds up to, None where that is unknown."""
    began = time.monotonic()
    with _errors() as out:
        console = Console(file=out, highlight=False, emoji=False)
        if console.is_terminal:
            count = [BarColumn(), MofNCompleteColumn()] if total else []
            columns = (SpinnerColumn(), TextColumn("{task.description}"), *count, TimeElapsedColumn())
            note = TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
            # What others write to standard error meanwhile goes where Dagster wants it.
            mine = Progress(
                *columns, note, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            with mine as bar:
                yield _Bar(bar, bar.add_task(title, total=total, note=""))
        else:
            _line(out, f"{title} …")
            yield _Lines(out, title, total)
        _line(out, f"{title}: done in {time.monotonic() - began:.1f} s")


@contextmanager
def _errors() -> Iterator[TextIO]:
    """Standard error on a descriptor of its own: Dagster takes number 2 for its compute log while steps run."""
    try:
        number = sys.stderr.fileno()
    except (OSError, ValueError, io.UnsupportedOperation):  # it is no file, as in a test
        yield sys.stderr
        return
    with os.fdopen(os.dup(number), "w", encoding=sys.stderr.encoding, errors="replace") as out:
        yield out


def _line(out: TextIO, text: str) -> None:
    out.write(text + "\n")
    out.flush()
