"""How the rows of a query look: a table for people, CSV (RFC 4180) and JSON for programs."""

import csv
import json
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from typing import TextIO

from rainbow_assets.query import Answer

TABLE_LIMIT = 1_000  # rows; a person reads no more
GUTTER = 3  # columns between two columns of a table


def write_json(answer: Answer, out: TextIO) -> None:
    """An array of objects, one a line: decimals as strings, times in ISO 8601, NaN and infinities as null."""
    out.write("[")
    separator = "\n"
    for row in chain.from_iterable(answer.batches):
        values = {name: _finite(value) for name, value in zip(answer.columns, row, strict=True)}
        out.write(separator + json.dumps(values, default=_text, ensure_ascii=False))
        separator = ",\n"
    out.write("\n]\n" if separator != "\n" else "]\n")


def write_csv(answer: Answer, out: TextIO) -> None:
    """A header and the rows, lines ending in CR LF; NULL is an empty field."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(answer.columns)
    for batch in answer.batches:
        writer.writerows([None if value is None else _text(value) for value in row] for row in batch)


def write_table(answer: Answer, out: TextIO) -> None:
    """At most 1,000 rows, numbers to the right, no value cut off."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(islice(chain.from_iterable(answer.batches), TABLE_LIMIT + 1))
    if not answer.columns:
        return
    console = Console(file=out, highlight=False, emoji=False)
    cells = [["NULL" if value is None else _text(value) for value in row] for row in rows[:TABLE_LIMIT]]
    widths = [max(len(text) for text in column) for column in zip(answer.columns, *cells, strict=True)]
    narrow = sum(widths) + GUTTER * len(widths) > console.width
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, name in enumerate(answer.columns):
        number = any(isinstance(row[place], int | float | Decimal) for row in rows[:50])
        # Too wide for the screen: a name is broken between its words rather than within one.
        title = Text(name.replace("_", "_\n") if narrow else name)
        table.add_column(title, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row, texts in zip(rows, cells, strict=False):
        table.add_row(
            *(Text(text, style="dim" if value is None else "") for value, text in zip(row, texts, strict=True))
        )
    console.print(table)
    if len(rows) > TABLE_LIMIT:
        console.print(f"The first {TABLE_LIMIT:,} rows; `--format csv` gives all.", style="dim")


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
