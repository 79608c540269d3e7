"""One round: take what was observed, keep the book, send what is due.

Not here: how anything is observed (`defs/automation/`).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rainbow_assets.errors import RainbowError
from rainbow_assets.ops.alerts import incidents as machine
from rainbow_assets.ops.alerts import store
from rainbow_assets.ops.alerts.channels import Send, configured, send
from rainbow_assets.ops.alerts.incidents import Failure, Incident, Observation
from rainbow_assets.ops.alerts.messages import Message, compose, tidy
from rainbow_assets.settings import Settings

BUDGET = 25.0  # seconds for sending in one round; Dagster gives a sensor's tick 60


@dataclass
class Round:
    """What came of it; `errors`: channel to the reason why it took nothing."""

    open: int = 0
    unsent: int = 0
    sent: int = 0
    errors: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line for the tick."""
        said = f"{self.open} open, {self.sent} messages sent, {self.unsent} unsent"
        return "; ".join([said, *(f"{channel}: {error}" for channel, error in self.errors.items())])


def watch(settings: Settings, look: Callable[[list[Incident]], Iterable[Observation]]) -> Round:
    """Keep the book by what `look` sees (it is given the open incidents), and send what is due.

    Without a channel the incidents are kept all the same.

    Raises:
        TransientError, SettingsError: Dagster's database, which holds the book, cannot be used.
    """
    done = Round()
    channels = configured(settings)
    with store.opened(settings) as book:
        for seen in look([incident for incident in book.incidents if incident.recovered is None]):
            if machine.observe(book.incidents, seen, tidy):
                machine.owe(book.incidents, channels)  # before the next may end it: it is told all the same
        machine.owe(book.incidents, channels)
        book.save()
        end = time.monotonic() + BUDGET
        for name, channel in channels.items():
            _send_due(settings, book, name, channel, end, done)
    done.open = sum(incident.recovered is None for incident in book.incidents)
    done.unsent = sum(len(incident.unsent) for incident in book.incidents)
    return done


def close(settings: Settings, incident_id: str) -> Incident | None:
    """End an open incident by hand: of a thing that will not be seen again. Its recovery is told; None: no such one."""
    with store.opened(settings) as book:
        for incident in book.incidents:
            if incident.id == incident_id and incident.recovered is None:
                incident.recovered = time.time()
                machine.owe(book.incidents, configured(settings))
                book.save()
                return incident
    return None


def try_channels(settings: Settings) -> dict[str, str]:
    """Send a message that says it is a test by every channel: the channel's name to its error, empty if it went."""
    now = time.time()
    text = Failure("this is a test, nothing failed", "rainbow alerts --test", settings.alert_ui_url, "now")
    incident = Incident(f"test-{now:.0f}", "test", "test", text, now, now)
    message = compose([(incident, machine.FAILED)], settings.alert_ui_url)
    return {name: _failure(channel, message) for name, channel in configured(settings).items()}


def _send_due(settings: Settings, book: store.Book, name: str, channel: Send, end: float, done: Round) -> None:
    """Send until all is sent, or one message is not: then the channel rests until the next round."""
    for batch in machine.due(book.incidents, name, time.time()):
        if time.monotonic() > end:
            return
        message = compose([(incident, notice.event) for incident, notice in batch], settings.alert_ui_url)
        error = _failure(channel, message)
        now = time.time()
        for _, notice in batch:
            if error:
                notice.failed(error, now)
            else:
                notice.succeeded(now)
        book.save()
        if error:
            done.errors[name] = error
            return
        done.sent += 1


def _failure(channel: Send, message: Message) -> str:
    try:
        send(channel, message)
    except RainbowError as error:
        return tidy(str(error))
    return ""
