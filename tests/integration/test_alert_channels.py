"""The channels against real servers on loopback: what arrives, what is refused, and how long it may take."""

import json
import os
import time
from urllib.parse import quote

import pytest
from alert_servers import PASSWORD, USER, Endpoint, MailBox, certificate, http_server, mail_server

from rainbow_assets.errors import RainbowError, SettingsError
from rainbow_assets.ops.alerts import channels, http, mail
from rainbow_assets.ops.alerts.messages import Message
from rainbow_assets.settings import PREFIX, Settings

HOSTILE = "<!channel> <b>x</b> *bold* <https://evil.example|see> & `code`"
MESSAGE = Message("abc-failed", f"Rainbow failed: {HOSTILE}", f"What: {HOSTILE}\nWhere: raw/orders", "http://ui/x", [])
WAYS = pytest.mark.parametrize("scheme", ["smtp", "smtps"])


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings from nothing but what the test gives."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(channels, "PATIENCE", 3.0)
    monkeypatch.setattr(mail, "TIMEOUT", 1.0)
    monkeypatch.setattr(http, "TIMEOUT", 1.0)

    def load(**values: object) -> Settings:
        for name, value in values.items():
            monkeypatch.setenv(f"{PREFIX}{name.upper()}", str(value))
        return Settings.load()

    return load


@pytest.fixture
def pem(tmp_path):
    return certificate(tmp_path)


def by_mail(settings, scheme, port, password=None, to="ops@example.com"):
    url = f"{scheme}://{USER}:{quote(password or PASSWORD)}@localhost:{port}"
    return settings(alert_smtp_url=url, alert_email_from="rainbow@example.com", alert_email_to=to)


def send_all(loaded: Settings) -> None:
    for channel in channels.configured(loaded).values():
        channels.send(channel, MESSAGE)


@WAYS
def test_mail_arrives_encrypted_and_as_it_was_written(settings, pem, monkeypatch, scheme):
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with mail_server(MailBox(pem, implicit=scheme == "smtps")) as box:
        send_all(by_mail(settings, scheme, box.port))
        send_all(by_mail(settings, scheme, box.port))
    letter, again = box.letters
    assert (letter["From"], letter["To"]) == ("rainbow@example.com", "ops@example.com")
    assert letter["Subject"] == MESSAGE.title
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().splitlines() == MESSAGE.text.splitlines()
    assert letter["Message-ID"] == again["Message-ID"]
    assert all(line.split()[0].upper() in {b"EHLO", b"STARTTLS"} for line in box.in_clear)


@WAYS
def test_a_certificate_that_is_not_trusted_is_refused(settings, pem, scheme):
    box = MailBox(pem, implicit=scheme == "smtps")
    with mail_server(box), pytest.raises(RainbowError, match="CERTIFICATE_VERIFY_FAILED"):
        send_all(by_mail(settings, scheme, box.port))
    assert not box.letters
    assert b"AUTH" not in b"".join(box.in_clear)


@WAYS
def test_a_certificate_of_another_host_is_refused(settings, tmp_path, monkeypatch, scheme):
    other = certificate(tmp_path, "mail.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    box = MailBox(other, implicit=scheme == "smtps")
    with mail_server(box), pytest.raises(RainbowError, match="Hostname mismatch"):
        send_all(by_mail(settings, scheme, box.port))
    assert not box.letters


def test_a_server_without_encryption_gets_nothing(settings, pem):
    box = MailBox(pem, offers_tls=False)
    with mail_server(box), pytest.raises(RainbowError, match="offers no encryption"):
        send_all(by_mail(settings, "smtp", box.port))
    assert [line.split()[0].lower() for line in box.in_clear] == [b"ehlo"]


def test_a_wrong_password_is_not_shown(settings, pem, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with mail_server(MailBox(pem)) as box, pytest.raises(RainbowError, match="535") as caught:
        send_all(by_mail(settings, "smtp", box.port, password="wrong-secret"))
    assert "wrong-secret" not in str(caught.value)


def test_each_recipient_is_a_channel(settings, pem, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with mail_server(MailBox(pem, refused={"gone@example.com"})) as box:
        loaded = by_mail(settings, "smtp", box.port, to="gone@example.com, ops@example.com,ops@example.com")
        gone, there = channels.configured(loaded).values()
        with pytest.raises(RainbowError, match=r"refuses gone@example.com \(550\)"):
            channels.send(gone, MESSAGE)
        channels.send(there, MESSAGE)
    assert [letter["To"] for letter in box.letters] == ["ops@example.com"]


@pytest.mark.parametrize(("scheme", "fault"), [("smtp", "mute"), ("smtps", "mute"), ("smtp", "drip")])
def test_a_mail_server_that_hangs_is_left(settings, pem, scheme, fault):
    with mail_server(MailBox(pem, **{fault: True})) as box:
        began = time.monotonic()
        with pytest.raises(RainbowError, match=r"does not answer|No end"):
            send_all(by_mail(settings, scheme, box.port))
    assert time.monotonic() - began < 5


def test_no_mail_server_is_one_line(settings):
    with pytest.raises(RainbowError, match=r"The mail server does not answer: .*refused") as caught:
        send_all(by_mail(settings, "smtp", 1))
    assert PASSWORD not in str(caught.value)


def test_slack_gets_text_that_cannot_mention_link_or_format(settings):
    with http_server(Endpoint()) as endpoint:
        send_all(settings(alert_slack_url=f"http://127.0.0.1:{endpoint.port}/services/T0/B0/s3cr3t"))
    [(path, kind, body)] = endpoint.posts
    assert (path, kind) == ("/services/T0/B0/s3cr3t", "application/json")
    sent = json.loads(body)
    title, text, link = (block["text"] for block in sent["blocks"])
    assert title["type"] == text["type"] == "plain_text"
    for shown in (sent["text"], title["text"], text["text"]):
        assert "&lt;!channel&gt;" in shown
        assert "<" not in shown
    assert link["text"] == "<http://ui/x|Open in Dagster>"
    assert sent["link_names"] is False


def test_a_long_text_fits_slack(settings):
    from rainbow_assets.ops.alerts.slack import document

    blocks = document(Message("x", "t", "\n".join(["&" * 100] * 100), "http://ui", []))["blocks"]
    assert 2_000 < len(blocks[1]["text"]["text"]) <= 3_000
    assert blocks[1]["text"]["text"].endswith("&amp;\n…")


def test_the_webhook_gets_the_facts(settings):
    message = Message("abc-failed", "title", "text", "http://ui/x", [{"what": "it"}])
    with http_server(Endpoint()) as endpoint:
        loaded = settings(alert_webhook_url=f"http://127.0.0.1:{endpoint.port}/in")
        channels.send(channels.configured(loaded)["webhook"], message)
    assert json.loads(endpoint.posts[0][2]) == {
        "project": "rainbow",
        "id": "abc-failed",
        "title": "title",
        "text": "text",
        "link": "http://ui/x",
        "incidents": [{"what": "it"}],
    }


@pytest.mark.parametrize(("status", "said"), [(500, "answered 500"), (429, "answered 429"), (404, "answered 404")])
def test_an_error_of_the_endpoint_is_an_error_that_hides_the_url(settings, status, said):
    with http_server(Endpoint(answers=[status])) as endpoint, pytest.raises(RainbowError, match=said) as caught:
        send_all(settings(alert_slack_url=f"http://127.0.0.1:{endpoint.port}/services/s3cr3t"))
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(settings, status):
    endpoint = Endpoint(answers=[status])
    with http_server(endpoint), pytest.raises(RainbowError, match=rf"answered {status} \(redirects are not followed"):
        send_all(settings(alert_webhook_url=f"http://127.0.0.1:{endpoint.port}/in"))
    assert [path for path, _, _ in endpoint.posts] == ["/in"]


def test_an_endpoint_that_hangs_is_left(settings):
    with http_server(Endpoint(mute=True)) as endpoint:
        began = time.monotonic()
        with pytest.raises(RainbowError, match=r"does not answer: .*timed out"):
            send_all(settings(alert_webhook_url=f"http://127.0.0.1:{endpoint.port}/in"))
    assert time.monotonic() - began < 5


def test_https_is_checked(settings, pem, monkeypatch):
    with http_server(Endpoint(), tls=pem) as endpoint:
        loaded = settings(alert_webhook_url=f"https://localhost:{endpoint.port}/in")
        with pytest.raises(RainbowError, match="CERTIFICATE_VERIFY_FAILED"):
            send_all(loaded)
        assert not endpoint.posts
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        send_all(loaded)
    assert len(endpoint.posts) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("alert_smtp_url", "http://host", "RAINBOW_ALERT_SMTP_URL: write smtp://host… or smtps://host…"),
        ("alert_smtp_url", "smtp://", "RAINBOW_ALERT_SMTP_URL: write smtp://host…"),
        ("alert_smtp_url", "smtp://user:s3cr3t@host:99999", "RAINBOW_ALERT_SMTP_URL: write smtp://host…"),
        ("alert_smtp_url", "smtp://user:s3cr3t@host", "also need RAINBOW_ALERT_EMAIL_FROM, RAINBOW_ALERT_EMAIL_TO"),
        ("alert_email_from", "a@b\r\nBcc: x@y", "RAINBOW_ALERT_EMAIL_FROM"),
        ("alert_slack_url", "http://hooks.example/s3cr3t", "RAINBOW_ALERT_SLACK_URL: write https://host…"),
        ("alert_slack_url", "https://", "RAINBOW_ALERT_SLACK_URL: write https://host…"),
        ("alert_webhook_url", "file:///etc/passwd", "RAINBOW_ALERT_WEBHOOK_URL: write https://host…"),
        ("alert_webhook_url", "https://user:s3cr3t@host/x", "RAINBOW_ALERT_WEBHOOK_URL: no user or password"),
        ("alert_webhook_url", "https://host/s3cr3t x", "RAINBOW_ALERT_WEBHOOK_URL: write https://host…"),
        ("alert_late_hour", "24", "RAINBOW_ALERT_LATE_HOUR"),
        ("alert_ui_url", "dagster.example", "RAINBOW_ALERT_UI_URL: write https://host… or http://host…"),
    ],
)
def test_a_wrong_setting_is_one_line_without_the_secret(settings, name, value, said):
    with pytest.raises(SettingsError) as caught:
        settings(**{name: value})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("to", ["ops", "a@b, c d@e", "a@b,x@y\nBcc: z@z"])
def test_a_wrong_recipient_is_named(settings, to):
    with pytest.raises(SettingsError, match="RAINBOW_ALERT_EMAIL_TO"):
        by_mail(settings, "smtp", 25, to=to)
