"""The verbs that look after the lakehouse: fsck, maintain."""

import time
from typing import Annotated

import typer


def fsck(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended without loss.")] = False,
    forget_missing: Annotated[
        bool, typer.Option("--forget-missing", help="With --repair: give up files that are not in the store.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Open no file: names, sizes and counts only.")] = False,
) -> None:
    """Compare the landing files in the object store with Iceberg and DuckLake. Exit 1 while anything is wrong.

    Every file is read, and its rows, dates and checksum are compared with what was written.
    """
    from rainbow_assets.cli.console import progress
    from rainbow_assets.raw import fsck as work
    from rainbow_assets.settings import Settings

    if forget_missing and not repair:
        raise typer.BadParameter("--forget-missing goes with --repair")
    if quick and repair:
        raise typer.BadParameter("--repair reads every file: leave --quick out")
    began = time.monotonic()
    with progress("fsck") as reporter:
        result = work.fsck(Settings.load(), reporter.say, repair=repair, forget_missing=forget_missing, quick=quick)
    for finding in result.mended:
        typer.echo(f"{typer.style('✓', fg='green')} {finding.kind}, mended: {finding.where}: {finding.what}.")
    for finding in result.left:
        remedy = f"Repair {finding.remedy}" if finding.is_mendable else finding.remedy.capitalize()
        typer.echo(f"{typer.style('✗', fg='red')} {finding.kind}: {finding.where}: {finding.what}. {remedy}")
    unverified = f", {result.unverified:,} without a checksum to compare with" if result.unverified else ""
    outcome = (
        f"{len(result.mended):,} mended, {len(result.left):,} left" if repair else f"{len(result.left):,} findings"
    )
    typer.echo(f"{result.files:,} landing files{unverified}: {outcome}, {time.monotonic() - began:.1f} s.")
    if result.left:
        raise typer.Exit(1)


def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be done, and change nothing.")] = False,
    keep_days: Annotated[
        int | None,
        typer.Option(
            min=0, max=36500, help="Days to keep snapshots and logs for.", show_default="RAINBOW_RETENTION_DAYS"
        ),
    ] = None,
) -> None:
    """Merge small files, expire old snapshots, delete what nothing refers to, and old logs. Landing files stay.

    Safe beside a run. The job `maintenance_job` does the same every day.
    """
    from rainbow_assets.cli.console import progress
    from rainbow_assets.ops import maintain as work
    from rainbow_assets.settings import Settings

    began = time.monotonic()
    with progress("maintain") as reporter:
        steps = work.maintain(Settings.load(), reporter.say, keep_days=keep_days, dry_run=dry_run)
    for step in steps:
        typer.echo(f"{step.where}: {len(step.items):,} {step.what}")
        for item in step.items if dry_run else ():
            typer.echo(f"  {item}")
    what = "would be done; nothing was changed" if dry_run else "done"
    typer.echo(f"{len(steps):,} pieces of work {what}, {time.monotonic() - began:.1f} s.")
