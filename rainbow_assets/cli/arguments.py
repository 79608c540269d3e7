"""Arguments that several verbs take: days, and ranges of them.

Here: how they are read and refused. Not here: whether a day is a partition (`Settings.require_partitions`).
"""

import re
from datetime import date
from typing import Annotated, Any

import typer

DAY = "YYYY-MM-DD"


def parse_day(text: str) -> date:
    """A day as people write it.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"there is no day {text}") from None
    raise typer.BadParameter(f"{text!r} is no day: write {DAY}")


def day_argument(help: str, metavar: str = DAY) -> Any:  # noqa: A002, ANN401 - typer's own words and type
    """A day as an argument of a verb."""
    return typer.Argument(metavar=metavar, parser=parse_day, help=help)


def day_option(*names: str, help: str) -> Any:  # noqa: A002, ANN401 - typer's own words and type
    """A day as an option of a verb."""
    return typer.Option(*names, metavar=DAY, parser=parse_day, help=help)


Start = Annotated[date | None, day_option("--from", help="First day of a range.")]
End = Annotated[date | None, day_option("--to", help="Last day of a range.")]
