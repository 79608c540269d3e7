"""The channels that the settings name, each by a name and a function that sends one message.

Every recipient of e-mail is a channel of its own, so that one refused address does not repeat the mail to the others.
"""

import queue
import threading
from collections.abc import Callable
from functools import partial

from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.ops.alerts import mail, slack, webhook
from rainbow_assets.ops.alerts.messages import Message
from rainbow_assets.settings import Settings

Send = Callable[[Message], None]
PATIENCE = 15.0  # seconds for one message; a server may answer each step in time and yet never end


def configured(settings: Settings) -> dict[str, Send]:
    """Name to function; none where no channel is set."""
    found: dict[str, Send] = {}
    if settings.alert_smtp_url and settings.alert_email_from:
        url = settings.alert_smtp_url.get_secret_value()
        for recipient in settings.alert_recipients:
            found[f"e-mail to {recipient}"] = partial(mail.send, url, settings.alert_email_from, recipient)
    if settings.alert_slack_url:
        found["Slack"] = partial(slack.send, settings.alert_slack_url.get_secret_value())
    if settings.alert_webhook_url:
        found["webhook"] = partial(webhook.send, settings.alert_webhook_url.get_secret_value())
    return found


def send(channel: Send, message: Message) -> None:
    """Send it, or fail within 15 s.

    Raises:
        RainbowError: it was not taken.
    """
    outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            channel(message)
        except Exception as error:  # handed to the caller
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=work, daemon=True, name="alert").start()
    try:
        error = outcome.get(timeout=PATIENCE)
    except queue.Empty:
        raise TransientError(f"No end after {PATIENCE:.0f} s.") from None
    if isinstance(error, RainbowError):
        raise error
    if error:
        raise TransientError(f"{type(error).__name__}: {error}.") from error
