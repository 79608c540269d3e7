"""The verb that compares source and raw over all days."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rainbow_assets.cli.arguments import End, Start

if TYPE_CHECKING:
    from rainbow_assets.settings import Settings

COLUMNS = {"table": "table", "rows": "rows", "days": "days apart", "late": "missed", "back": "back", "gone": "gone"}


def reconcile(
    start: Start = None,
    end: End = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be landed, and write nothing. Exit 1 if anything.")
    ] = False,
) -> None:
    """Compare the source with raw over all days; land what no run saw, and the end of what the source lost.

    missed: rows that raw lacks as they are. back: rows that raw holds as gone, or in a later version. gone: keys that
    raw holds and the source no longer has: they end now. What is new is built and published at once.
    """
    from rainbow_assets.raw.reconcile.source import all_days
    from rainbow_assets.settings import Settings

    began, settings = time.monotonic(), Settings.load()
    days = all_days(settings, start, end)
    if dry_run:
        found = _look(settings, start, end)
    else:
        from rainbow_assets.cli.batch import run_logged

        def work(report: Any) -> Any:  # noqa: ANN401 - of `launch`, which takes seconds to import
            from rainbow_assets.cli.launch import run_reconcile

            return run_reconcile(days.first, days.last, report)

        found = run_logged(settings, "reconcile", f"Reconcile {days}", work).found
    for line in table(found):
        typer.echo(line)
    news = sum(row["late"] + row["back"] + row["gone"] for row in found)
    done = "would be landed; nothing was written" if dry_run else "landed, built and published"
    told = f"{news:,} versions {done}" if news else "Source and raw agree"
    typer.echo(f"{told}, {time.monotonic() - began:.1f} s.")
    for reason in (row["reason"] for row in found if row["reason"]):
        typer.echo(f"Not compared: {reason}", err=True)
    if any(row["reason"] for row in found) or (dry_run and news):
        raise typer.Exit(1)


def table(found: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each table, numbers to the right."""
    rows = [list(COLUMNS.values())]
    rows += [
        [row["table"], *("–" if row["reason"] else f"{row[name]:,}" for name in list(COLUMNS)[1:])] for row in found
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return [
        "   ".join(cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def _look(settings: "Settings", start: Any, end: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - typer's dates
    from dataclasses import asdict

    from rainbow_assets.cli.console import progress
    from rainbow_assets.raw.reconcile.land import Systems
    from rainbow_assets.raw.reconcile.source import all_days
    from rainbow_assets.raw.reconcile.source import reconcile as work
    from rainbow_assets.systems import ducklake, iceberg, object_store

    with progress("reconcile") as reporter, ducklake.connect(settings, read_only=True) as connection:
        systems = Systems(settings, connection, iceberg.connect(settings), object_store.client(settings))
        found = work(systems, all_days(settings, start, end), "", reporter.say, dry_run=True)
    return [asdict(item) | {"days": len(item.days)} for item in found]
