"""The verbs of what is live: stream."""

from typing import Annotated

import typer


def stream(
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when all is read that the source held at the start.")
    ] = False,
) -> None:
    """Read the source's changes from its log into ClickHouse, as they are committed, until it is stopped.

    The first time, all tables are copied. It goes on where it stopped, however it stopped.
    """
    from rich.console import Console

    from rainbow_assets.redact import redact
    from rainbow_assets.settings import Settings
    from rainbow_assets.speed.refresh import refresh
    from rainbow_assets.speed.sink import Flushed
    from rainbow_assets.speed.stream import run

    console, total = Console(stderr=True, highlight=False, emoji=False), 0
    with console.status("starting", spinner="line") as status:  # shown on a terminal only

        def say(line: str) -> None:
            console.print(redact(line), markup=False, soft_wrap=True)

        def show(flushed: Flushed) -> None:
            nonlocal total
            total += flushed.changes
            status.update(f"{total:,} changes, {flushed.lag_seconds:.1f} s behind")

        run(Settings.load(), say, show, until_caught_up=until_caught_up, after_flush=refresh)
    console.print(f"The stream has ended: {total:,} changes.")
