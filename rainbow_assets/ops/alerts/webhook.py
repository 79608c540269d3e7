"""The generic webhook: the message and its facts as one JSON document."""

from rainbow_assets.ops.alerts.http import post
from rainbow_assets.ops.alerts.messages import Message


def send(url: str, message: Message) -> None:
    """Post `{"project", "id", "title", "text", "link", "incidents": [{"event", "what", "where", …}]}`.

    Raises:
        TransientError: it was not taken.
    """
    document = {"project": "rainbow", "id": message.id, "title": message.title, "text": message.text}
    post(url, document | {"link": message.link, "incidents": message.facts}, "RAINBOW_ALERT_WEBHOOK_URL")
