"""The verbs of the shop: seed, load-olist, simulate."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rainbow_assets.cli.arguments import day_argument, day_option

if TYPE_CHECKING:
    from rainbow_assets.settings import Settings

Day = Annotated[date, day_argument("A day (UTC).")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same rows.")]
Replace = Annotated[bool, typer.Option("--replace", help="Empty a shop that has rows first.")]


def seed(
    days: Annotated[int, typer.Option(min=1, help="How many days of orders.")] = 30,
    end: Annotated[date | None, day_option("--end", help="The last day; default: yesterday.")] = None,
    orders_per_day: Annotated[int, typer.Option(min=1, help="Orders on an average day.")] = 500,
    seed: Seed = 42,
    replace: Replace = False,
) -> None:
    """Fill the source with a believable, reproducible shop."""
    fill(days, end, orders_per_day, seed, replace=replace)


def fill(days: int, end: date | None, orders_per_day: int, seed: int, *, replace: bool) -> None:
    """Seed the shop and record its days; also the demo's first step."""
    from rainbow_assets.cli.console import progress
    from rainbow_assets.settings import Settings, yesterday
    from rainbow_assets.shop.seed import seed as fill_shop

    settings = Settings.load()
    last = end or yesterday()
    with progress("Seeding the shop") as reporter:
        summary = fill_shop(
            settings.secret("source_url"),
            days,
            last,
            orders_per_day,
            seed,
            lambda table, done, total: reporter.say(f"{table}, {done:,} of {total:,} rows"),
            replace=replace,
        )
    _record(settings, summary.start, summary.end)
    _tell(summary.rows, f"{summary.start} to {summary.end}")


def load_olist(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the Olist CSV files (.csv or .csv.gz).")],
    replace: Replace = False,
) -> None:
    """Fill the source from the Olist CSV files."""
    from rainbow_assets.cli.console import progress
    from rainbow_assets.settings import Settings
    from rainbow_assets.shop.olist import load_olist as fill_shop

    settings = Settings.load()
    with progress("Loading Olist") as reporter:
        summary = fill_shop(
            settings.secret("source_url"),
            folder,
            lambda table, done, total: reporter.say(f"{table}, {done:,} of {total:,} rows"),
            replace=replace,
        )
    _record(settings, summary.start, summary.end)
    _tell(summary.rows, f"{summary.start} to {summary.end}")


def simulate(
    day: Day,
    orders: Annotated[int | None, typer.Option(min=1, help="New orders; default: as on the days before.")] = None,
    seed: Seed = 42,
) -> None:
    """Let the shop live through one more day: orders, changed prices and names, moved products, soft deletes."""
    from rainbow_assets.settings import Settings, yesterday
    from rainbow_assets.shop.simulate import simulate as live

    settings = Settings.load()
    summary = live(settings.secret("source_url"), day, orders, seed)
    if settings.end_date and summary.day > settings.end_date:
        _record(settings, settings.start_date, summary.day)
    _tell(summary.rows, str(summary.day))
    if summary.day > yesterday():
        typer.echo("The day is not over: the batch layer takes it afterwards, `rainbow stream` at once.")


def _record(settings: "Settings", first: date, last: date) -> None:
    """Where the shop's days begin, and where they end if that is before yesterday: else each new day is taken."""
    from rainbow_assets.settings import yesterday

    settings.record(start_date=first, end_date=last if last < yesterday() else None)


def _tell(rows: dict[str, int], when: str) -> None:
    """What was written, a line a table."""
    for table, count in rows.items():
        typer.echo(f"  {table:<14}{count:>12,}")
    typer.echo(f"Days: {when}.")
