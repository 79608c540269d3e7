"""The verb of the alerts: what is open, what could not be sent; a look from outside; a test of the channels."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rainbow_assets.ops.alerts.incidents import Incident
    from rainbow_assets.settings import Settings


def alerts(
    check: Annotated[
        bool, typer.Option("--check", help="First look at what happened, without the daemon, and send what is due.")
    ] = False,
    close: Annotated[
        str | None, typer.Option(metavar="ID", help="End an incident whose cause will not be seen again.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Send a test message by every channel.")] = False,
) -> None:
    """List the open incidents and the messages that could not be sent. Exit 1 if there are any.

    `--check` is for cron: it notices what the alerts' own sensor cannot, that nothing runs it.
    """
    from rainbow_assets.errors import DataError
    from rainbow_assets.ops.alerts import channels, store, watch
    from rainbow_assets.settings import Settings

    settings = Settings.load()
    if test:
        _test(settings)
        return
    if close and watch.close(settings, close) is None:
        raise DataError(f"No open incident has the id {close!r}.", "`rainbow alerts` lists them.")
    if check:
        _look(settings)
    names = channels.configured(settings)
    typer.echo(f"Channels: {', '.join(names) or 'none is set, see docs/alerts.md'}")
    standing = store.standing(settings)
    for incident in standing:
        _show(incident)
    unsent = sum(len(incident.unsent) for incident in standing)
    typer.echo(f"{sum(one.recovered is None for one in standing)} open, {unsent} messages unsent.")
    if standing:
        raise typer.Exit(1)


def _look(settings: "Settings") -> None:
    from rainbow_assets.stack.environment import dagster_environment

    os.environ.update(dagster_environment(settings))

    from rainbow_assets.definitions import defs
    from rainbow_assets.defs.automation.alerts import look_from_outside

    look_from_outside(settings, defs.get_repository_def())


def _test(settings: "Settings") -> None:
    from rainbow_assets.errors import SettingsError
    from rainbow_assets.ops.alerts.watch import try_channels

    outcome = try_channels(settings)
    if not outcome:
        raise SettingsError("No channel is set.", "Set RAINBOW_ALERT_SLACK_URL or another; see docs/alerts.md.")
    for name, error in outcome.items():
        typer.echo(f"{_mark(not error)} {name}: {error or 'sent'}")
    if any(outcome.values()):
        raise typer.Exit(1)


def _show(incident: "Incident") -> None:
    from rainbow_assets.ops.alerts.messages import moment

    failure = incident.failure
    typer.echo(f"{_mark(incident.recovered is not None)} {failure.what}")
    typer.echo(f"    {incident.id}, since {moment(incident.since)}, seen {incident.times:,} times")
    typer.echo(f"    where: {failure.where}; last good: {failure.last_good}")
    typer.echo(f"    {failure.link}")
    for notice in incident.unsent:
        why = f"{notice.tries} tries, next at {moment(notice.next_try)}: {notice.error}" if notice.tries else "due"
        typer.echo(f"    unsent by {notice.channel} ({notice.event}): {why}")


def _mark(good: bool) -> str:
    return typer.style("✓", fg="green") if good else typer.style("✗", fg="red")
