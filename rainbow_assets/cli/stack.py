"""The verbs of the embedded stack: up, down, status, env, doctor."""

import shlex

import typer


def up() -> None:
    """Start PostgreSQL and the S3 server, and write their settings to rainbow.env.

    Safe to repeat: it starts what does not run and creates what is missing.
    """
    from rainbow_assets.settings import Settings
    from rainbow_assets.stack import lifecycle

    settings = lifecycle.up(Settings.load(), typer.echo)
    for part in lifecycle.status(settings):
        typer.echo(f"✓ {part.part} {part.state}: {part.where}")
    typer.echo(f"Settings: {settings.env_file}")


def down() -> None:
    """Stop the stack; its data stays. Nothing to stop is fine."""
    from rainbow_assets.settings import Settings
    from rainbow_assets.stack import lifecycle

    lifecycle.down(Settings.load(), typer.echo)
    typer.echo("The stack is down.")


def status() -> None:
    """Show every part of the stack: its state, place and process. Exit 1 if one is not up."""
    from rich.table import Table

    from rainbow_assets.cli.console import output
    from rainbow_assets.settings import Settings
    from rainbow_assets.stack import lifecycle

    settings = Settings.load()
    parts = lifecycle.status(settings)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "state", "where", "pid", "up for"):
        table.add_column(column, overflow="fold", justify="right" if column == "pid" else "left")
    for part in parts:
        style = "green" if part.usable else "red"
        cells = part.where, str(part.pid or ""), _duration(part.uptime)
        table.add_row(part.part, f"[{style}]{part.state}[/]", *cells)
    output().print(table)
    if reason := settings.ended():
        typer.echo(f"Note: {reason}.")
    if not all(part.usable for part in parts):
        typer.echo("Not all is up. `rainbow up` starts it.", err=True)
        raise typer.Exit(1)


def env() -> None:
    """Print the stack's settings as shell `export` lines, secrets included.

    After `eval "$(rainbow env)"` the plain `dagster` command works on this stack.
    """
    from rainbow_assets.settings import Settings
    from rainbow_assets.stack.environment import shell_environment

    for name, value in shell_environment(Settings.load()).items():
        typer.echo(f"export {name}={_quoted(value)}")


def doctor() -> None:
    """Check every part that the settings name, and say how to mend it. Exit 1 if one is not usable."""
    from rainbow_assets.ops.doctor import examine
    from rainbow_assets.redact import redact

    healthy = True
    for finding in examine():
        healthy = healthy and (finding.usable or finding.optional)
        mark = typer.style("✓", fg="green") if finding.usable else typer.style("✗", fg="red")
        mark = typer.style("-", dim=True) if finding.absent else mark
        typer.echo(f"{mark} {finding.part}: {redact(finding.detail)}")
    if not healthy:
        raise typer.Exit(1)


def _quoted(value: str) -> str:
    """The value in single quotes for a shell, whatever it holds."""
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{quoted}'"


def _duration(seconds: float | None) -> str:
    """`2 d 3 h`, `3 h 5 min`, `5 min 7 s` or `7 s`."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((place for place, (count, _) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2])
