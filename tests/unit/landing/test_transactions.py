"""Which days open transactions leave settled."""

from datetime import date, datetime

import pytest

from rainbow_assets.landing.transactions import Open, Session
from rainbow_assets.window import Days

JAN_1, JAN_2, JAN_3 = (date(2026, 1, day) for day in (1, 2, 3))
END = datetime.fromisoformat("2026-01-04")


def found(*since: str, untold: str = "") -> Open:
    sessions = [Session(7, "shop", "till", datetime.fromisoformat(begin), "active") for begin in since]
    return Open(END, END, sessions, untold)


@pytest.mark.parametrize(
    ("looked", "settled"),
    [
        (found(), Days(JAN_1, JAN_3, open_start=True)),
        (found("2026-01-03 23:59:59"), Days(JAN_1, JAN_2, open_start=True)),
        (found("2026-01-03 00:00:00", "2026-01-02 12:00:00"), Days(JAN_1, JAN_1, open_start=True)),
        (found("2025-12-31 12:00:00"), None),
        (found(untold="the source is a standby"), None),
    ],
)
def test_the_days_before_the_first_transaction_began_are_settled(looked, settled):
    assert looked.settled(Days(JAN_1, JAN_3, open_start=True)) == settled
    assert looked.passed is (settled == Days(JAN_1, JAN_3, open_start=True))


def test_a_session_is_told_in_one_line():
    assert str(found("2026-01-03 23:59:59")) == "session 7 of shop (till), active, since 2026-01-03 23:59:59"
    assert str(found("2026-01-03", "2026-01-03")).endswith("and 1 more")
    prepared = Session(None, "shop", "gid", END, "prepared")
    assert str(prepared) == "the prepared transaction 'gid' of shop"
