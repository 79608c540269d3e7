"""The text of a message: what, where, since when, the last good value, and where to look.

One plain text for all channels, and the same facts as JSON. Not here: how a channel marks up or escapes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rainbow_assets.ops.alerts.incidents import FAILED, RECOVERED, Incident
from rainbow_assets.redact import redact

LONGEST = 400  # characters of one text
LISTED = 20  # things that a message about several names


@dataclass(frozen=True)
class Message:
    """`id` is the same each time the message is tried, so a receiver can tell a repetition."""

    id: str
    title: str
    text: str
    link: str
    facts: list[dict[str, Any]]


def tidy(text: str) -> str:
    """One line without secrets, control or invisible characters, of at most 400 characters."""
    visible = "".join(letter if letter.isprintable() else " " for letter in redact(text))
    line = " ".join(visible.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def compose(told: Sequence[tuple[Incident, str]], ui_url: str) -> Message:
    """The message that tells these incidents' events; several of them have a line each, the first 20."""
    facts = [_facts(incident, event) for incident, event in told]
    if len(told) == 1:
        [(incident, event)] = told
        return Message(
            f"{incident.id}-{event}", _title(incident, event), _text(incident, event), incident.failure.link, facts
        )
    failed = sum(event == FAILED for _, event in told)
    lines = [_title(incident, event).removeprefix("Rainbow ") for incident, event in told[:LISTED]]
    if rest := len(told) - len(lines):
        lines.append(f"and {rest:,} more: `rainbow alerts` lists them.")
    first, event = told[0]
    return Message(
        f"{first.id}-{event}-{len(told)}",
        f"Rainbow: {failed:,} failed, {len(told) - failed:,} recovered",
        "\n".join(["More than a message each would be of use:", *lines, f"See: {ui_url}"]),
        ui_url,
        facts,
    )


def moment(seconds: float) -> str:
    """A time as people write it, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _title(incident: Incident, event: str) -> str:
    return f"Rainbow {event}: {incident.failure.what}"


def _text(incident: Incident, event: str) -> str:
    failure = incident.failure
    lines = [
        f"What: {failure.what}",
        f"Where: {failure.where}",
        f"Since: {moment(incident.since)}",
        f"Last good: {failure.last_good}",
    ]
    if event == RECOVERED and incident.recovered is not None:
        lasted = timedelta(seconds=round(max(incident.recovered - incident.since, 0)))
        lines.append(f"Recovered: {moment(incident.recovered)}, after {lasted}")
    return "\n".join([*lines, f"See: {failure.link}"])


def _facts(incident: Incident, event: str) -> dict[str, Any]:
    failure = incident.failure
    return {
        "event": event,
        "id": incident.id,
        "key": tidy(incident.key),
        "what": failure.what,
        "where": failure.where,
        "since": _iso(incident.since),
        "recovered": _iso(incident.recovered) if event == RECOVERED and incident.recovered is not None else None,
        "last_good": failure.last_good,
        "link": failure.link,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
