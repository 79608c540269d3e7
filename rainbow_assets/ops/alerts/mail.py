"""E-mail over SMTP, always encrypted: `smtps://` from the first byte, `smtp://` by STARTTLS or not at all."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from rainbow_assets.errors import TransientError
from rainbow_assets.ops.alerts.messages import Message

SETTING = "RAINBOW_ALERT_SMTP_URL"
TIMEOUT = 10.0  # seconds for each step of the exchange


def send(url: str, sender: str, recipient: str, message: Message) -> None:
    """Send one message to one recipient, as plain text.

    Raises:
        TransientError: the server cannot be reached or trusted, or did not take the message.
    """
    try:
        server = _connect(url)
        with contextlib.closing(server):
            server.send_message(letter(message, sender, recipient))
            with contextlib.suppress(smtplib.SMTPException, OSError):  # it is sent, however the farewell goes
                server.quit()
    except smtplib.SMTPAuthenticationError as error:
        raise TransientError(f"The mail server refuses the user of {SETTING} ({error.smtp_code}).") from None
    except smtplib.SMTPNotSupportedError:
        raise TransientError("The mail server offers no encryption or no login.", f"Check {SETTING}.") from None
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise TransientError(f"The mail server refuses {recipient} ({code}).") from None
    except smtplib.SMTPResponseException as error:
        raise TransientError(f"The mail server refuses the message ({error.smtp_code}).") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise TransientError(f"The mail server does not answer: {error}.", f"Check {SETTING}.") from None


def letter(message: Message, sender: str, recipient: str) -> EmailMessage:
    """The message as e-mail; its id is the same each time it is tried."""
    mail = EmailMessage()
    mail["Subject"] = message.title.replace("=?", "= ?")[:150]  # no encoded word of somebody else
    mail["From"], mail["To"] = sender, recipient
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message.id}@rainbow.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    host, trust = parts.hostname or "", ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT, context=trust)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT)
    try:
        if parts.scheme == "smtp":
            server.starttls(context=trust)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
    except Exception:
        server.close()
        raise
    return server
