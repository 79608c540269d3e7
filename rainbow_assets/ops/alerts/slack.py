"""Slack: an incoming webhook. Text from outside is plain text there: it can neither mention nor format.

The characters that Slack gives a meaning are escaped as it asks for:
https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

from typing import Any

from rainbow_assets.ops.alerts.http import post
from rainbow_assets.ops.alerts.messages import Message

LONGEST = 2_900  # Slack takes 3,000 characters a section


def send(url: str, message: Message) -> None:
    """Post the message to the channel of the webhook.

    Raises:
        TransientError: it was not taken.
    """
    post(url, document(message), "RAINBOW_ALERT_SLACK_URL")


def document(message: Message) -> dict[str, Any]:
    """The message in Slack's terms: the title for the notification, two blocks of plain text, one link."""
    return {
        "text": escape(message.title),
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "blocks": [
            {"type": "section", "text": _plain(message.title)},
            {"type": "section", "text": _plain(message.text)},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"<{escape(message.link)}|Open in Dagster>"}},
        ],
    }


def escape(text: str) -> str:
    """`text` without control sequences; cut where Slack would refuse it."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped if len(escaped) <= LONGEST else escaped[:LONGEST].rpartition("\n")[0] + "\n…"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escape(text), "emoji": False}
