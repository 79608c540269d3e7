"""The verbs that look back: history, version."""

from typing import Annotated

import typer


def history(
    limit: Annotated[int, typer.Option(min=1, help="How many runs.")] = 20,
) -> None:
    """Show the last finished runs, the newest first. `lake.ops.runs` has more of each."""
    from rich.table import Table

    from rainbow_assets.cli.console import output
    from rainbow_assets.ops.records import last_runs
    from rainbow_assets.settings import Settings
    from rainbow_assets.systems import ducklake

    with ducklake.connect(Settings.load(), read_only=True) as lake:
        runs = last_runs(lake, limit)
    if not runs:
        typer.echo("No run is recorded yet. `rainbow run` makes one.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run", "started (UTC)", "took", "status", "load", "days or job", "rows written"):
        table.add_column(column, overflow="fold", justify="right" if column in {"took", "rows written"} else "left")
    for run_id, started, seconds, status, load, what, rows in runs:
        style = "green" if status == "SUCCESS" else "red"
        count = "" if rows is None else f"{rows:,}"
        cells = load, what.replace("..", " to "), count
        table.add_row(run_id[:8], f"{started:%Y-%m-%d %H:%M}", f"{seconds:,.0f} s", f"[{style}]{status}[/]", *cells)
    output().print(table)


def version() -> None:
    """Show the project's version, and which run lake, Iceberg and ClickHouse serve now.

    Exit 1 if one of them cannot be asked.
    """
    from rich.table import Table

    from rainbow_assets.cli.console import output
    from rainbow_assets.ops.versions import served
    from rainbow_assets.redact import redact
    from rainbow_assets.settings import Settings
    from rainbow_assets.version import code_version, package_version

    project, commit = package_version(), code_version()
    typer.echo(f"Rainbow {project}" + (f", commit {commit}" if commit != project else ""))
    parts = list(served(Settings.load()))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "run", "at (UTC)", "shows"):
        table.add_column(column, overflow="fold")
    for part in parts:
        at = f"{part.at:%Y-%m-%d %H:%M:%S}" if part.at else "nothing yet"
        if part.usable:
            table.add_row(part.part, part.run_id[:8], at, part.shows)
        else:
            table.add_row(f"[red]{part.part}[/]", "", "", redact(part.shows))
    output().print(table)
    if not all(part.usable for part in parts):
        raise typer.Exit(1)
