"""How the rows of a query look: a table for people, CSV (RFC 4180) and JSON for programs."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal, TextIO

from rainbow_assets.ops.query import Answer

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

TABLE_LIMIT = 1_000  # rows; a person reads no more
GUTTER, EDGES = 2, 2  # characters between two columns of a table, and at its sides
TEXT_LEAST = 8  # characters that a text keeps, however many columns there are


def write_json(answer: Answer, out: TextIO) -> None:
    """An array of objects, one a line: decimals as strings, times in ISO 8601, NaN and infinities as null."""
    escaped = "utf" not in (getattr(out, "encoding", None) or "utf-8").lower()  # JSON's own way to any character
    out.write("[")
    separator = "\n"
    for row in chain.from_iterable(answer.batches):
        values = {name: _finite(value) for name, value in zip(answer.columns, row, strict=True)}
        out.write(separator + json.dumps(values, default=_text, ensure_ascii=escaped))
        separator = ",\n"
    out.write("\n]\n" if separator != "\n" else "]\n")


def write_csv(answer: Answer, out: TextIO) -> None:
    """A header and the rows, lines ending in CR LF; NULL is an empty field."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(answer.columns)
    for batch in answer.batches:
        writer.writerows([None if value is None else _text(value) for value in row] for row in batch)


def write_table(answer: Answer, out: TextIO) -> None:
    """At most 1,000 rows, numbers to the right and always whole; what is too wide is cut with an ellipsis.

    Where not even that fits, a row is shown as a record, a line a column.
    """
    from rich.console import Console

    rows = list(islice(chain.from_iterable(answer.batches), TABLE_LIMIT + 1))
    if not answer.columns:
        return
    console = Console(file=out, highlight=False, emoji=False)
    shown = rows[:TABLE_LIMIT]
    columns = [_column(name, [row[place] for row in shown]) for place, name in enumerate(answer.columns)]
    widths = _widths(columns, console.width)
    console.print(_records(columns, len(shown)) if widths is None else _table(columns, widths), end="")
    if len(rows) > TABLE_LIMIT:
        console.print(f"The first {TABLE_LIMIT:,} rows; `--format csv` gives all.", style="dim")


@dataclass(frozen=True)
class _Column:
    """A column as it will be shown; `narrow`: what it needs at least, `wide`: where nothing of it is cut."""

    name: str
    title: str
    texts: list["Text"]
    is_number: bool
    narrow: int
    wide: int


def _column(name: str, values: list[object]) -> _Column:
    from rich.cells import cell_len
    from rich.text import Text

    texts = [Text("NULL", style="dim") if value is None else Text(_text(value)) for value in values]
    title = name.replace("_", "_\n")  # a name is broken between its words rather than within one
    head = max(map(cell_len, title.split("\n")))
    body = max((text.cell_len for text in texts), default=0)
    is_number = any(isinstance(value, int | float | Decimal) for value in values)
    can_be_cut = all(value is None or isinstance(value, str | list | tuple | dict) for value in values)
    least = min(body, TEXT_LEAST) if can_be_cut else body
    return _Column(name, title, texts, is_number, max(head, least), max(head, body))


def _widths(columns: list[_Column], width: int) -> list[int] | None:
    """The width of each column, so that all fit into `width`; None where they cannot."""
    from rich.cells import cell_len

    room = width - GUTTER * (len(columns) - 1) - EDGES
    whole = [max(column.wide, cell_len(column.name)) for column in columns]
    if sum(whole) <= room:
        return whole
    if sum(column.narrow for column in columns) > room:
        return None
    widths = [column.wide for column in columns]
    while sum(widths) > room:  # the widest that can be cut gives a character
        spare = [width if width > column.narrow else 0 for width, column in zip(widths, columns, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _table(columns: list[_Column], widths: list[int]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        title = Text(column.name if cell_len(column.name) <= width else column.title)
        side: Literal["right", "left"] = "right" if column.is_number else "left"
        table.add_column(title, justify=side, overflow="ellipsis", no_wrap=True, width=width)
    for row in zip(*(column.texts for column in columns), strict=True):
        table.add_row(*row)
    return table


def _records(columns: list[_Column], rows: int) -> "Group":
    from rich.console import Group
    from rich.rule import Rule
    from rich.table import Table

    parts: list[Rule | Table] = []
    for place in range(rows):
        record = Table.grid(padding=(0, 2))
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for column in columns:
            record.add_row(column.name, column.texts[place])
        parts += [Rule(f"{place + 1}", align="left", style="dim"), record]
    return Group(*parts)


FORMATS: dict[str, Callable[[Answer, TextIO], None]] = {"table": write_table, "csv": write_csv, "json": write_json}


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: object) -> str:
    """A value as text: ISO 8601 for times, `true` and `false`, JSON for what is nested, hex for bytes."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case list() | tuple() | dict():
            return json.dumps(value, default=_text, ensure_ascii=False)
        case _:
            return str(value)
