"""The texts: what each says, and what may never be in one."""

from email import message_from_bytes, policy

import pytest

from rainbow_assets.ops.alerts.incidents import FAILED, RECOVERED, Failure, Incident
from rainbow_assets.ops.alerts.mail import letter
from rainbow_assets.ops.alerts.messages import Message, compose, moment, tidy
from rainbow_assets.ops.alerts.slack import document

UI = "http://127.0.0.1:3000"
CHECK = Failure(
    "check is_whole of raw/orders failed: missing 3", "raw/orders, run 8e553677", f"{UI}/assets", "2026-11-20 00:05 UTC"
)


def incident(number: int = 0, recovered: float | None = None) -> Incident:
    return Incident(f"id{number}", "check a", "check a", CHECK, 1_795_219_500.0, 1.0, recovered=recovered)


def test_a_failure_says_what_where_since_when_the_last_good_value_and_where_to_look():
    message = compose([(incident(), FAILED)], UI)
    assert message.title == "Rainbow failed: check is_whole of raw/orders failed: missing 3"
    assert message.text.splitlines() == [
        "What: check is_whole of raw/orders failed: missing 3",
        "Where: raw/orders, run 8e553677",
        "Since: 2026-11-21 00:05 UTC",
        "Last good: 2026-11-20 00:05 UTC",
        f"See: {UI}/assets",
    ]
    [facts] = message.facts
    assert facts["since"] == "2026-11-21T00:05:00+00:00"
    assert (facts["event"], facts["what"], facts["recovered"]) == ("failed", CHECK.what, None)


def test_a_recovery_says_how_long_it_lasted():
    message = compose([(incident(recovered=1_795_219_500.0 + 3_725), RECOVERED)], UI)
    assert message.title.startswith("Rainbow recovered: check is_whole")
    assert "Recovered: 2026-11-21 01:07 UTC, after 1:02:05" in message.text.splitlines()
    assert message.facts[0]["recovered"] == "2026-11-21T01:07:05+00:00"


def test_a_message_about_many_names_the_first_and_holds_the_facts_of_all():
    message = compose([(incident(number), FAILED) for number in range(50)] + [(incident(50), RECOVERED)], UI)
    assert message.title == "Rainbow: 50 failed, 1 recovered"
    assert "and 31 more: `rainbow alerts` lists them." in message.text
    assert len(message.text.splitlines()) == 23
    assert len(message.facts) == 51


def test_ids_are_stable_and_apart():
    once, again = (compose([(incident(), FAILED)], UI).id for _ in range(2))
    assert once == again
    assert once != compose([(incident(), RECOVERED)], UI).id


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nBcc: everyone@example.com", "a Bcc: everyone@example.com"),
        ("tab\tnul\0bell\x07esc\x1b[31m", "tab nul bell esc [31m"),
        ("right‮to left​zero", "right to left zero"),
        ("line\u2028separator", "line separator"),
        ("  much   space  ", "much space"),
        ("ä€ 漢字 🌈", "ä€ 漢字 🌈"),
        ("x" * 401, "x" * 399 + "…"),
    ],
)
def test_a_text_is_one_visible_line(text: str, shown: str):
    assert tidy(text) == shown


def test_no_secret_is_in_a_text(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAINBOW_SOURCE_URL", "postgresql://user:p%40ss-word@host/db")
    monkeypatch.setenv("RAINBOW_ALERT_SLACK_URL", "https://hooks.example/services/T0/B0/s3cr3t")
    monkeypatch.setenv("RAINBOW_ALERT_SMTP_URL", "smtp://user:m%41il-secret@host")
    monkeypatch.setenv("RAINBOW_ALERT_EMAIL_FROM", "a@b")
    monkeypatch.setenv("RAINBOW_ALERT_EMAIL_TO", "a@b")
    said = tidy("p%40ss-word p@ss-word\n/services/T0/B0/s3cr3t https://hooks.example/services/T0/B0/s3cr3t mAil-secret")
    assert said == "*** *** *** *** ***"


@pytest.mark.parametrize("title", ["Rainbow failed: ä" + "x" * 500, "Rainbow failed: <!channel> =?utf-8?q?x?="])
def test_a_letter_has_one_subject_and_no_other_headers(title: str):
    raw = letter(Message("id", title, "What: x\nBcc: y@z\n\n.\n", UI, []), "a@b", "c@d").as_bytes()
    read = message_from_bytes(raw, policy=policy.default)
    assert read["Subject"] == title.replace("=?", "= ?")[:150]
    assert sorted(name.lower() for name in read.keys()) == [  # noqa: SIM118 - headers are no dict
        "auto-submitted",
        "content-transfer-encoding",
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "subject",
        "to",
    ]
    assert read.get_content().splitlines() == ["What: x", "Bcc: y@z", "", "."]


def test_slack_shows_the_signs_and_obeys_none():
    sent = document(Message("id", "<!channel> & <@U1>", "*b* <http://evil|x>", f"{UI}/runs/1", []))
    assert sent["text"] == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert sent["blocks"][1]["text"] == {"type": "plain_text", "text": "*b* &lt;http://evil|x&gt;", "emoji": False}


def test_times_are_utc():
    assert moment(0) == "1970-01-01 00:00 UTC"
