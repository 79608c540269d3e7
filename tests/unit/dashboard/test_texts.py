"""How numbers, moments and ages read."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from rainbow_assets.dashboard import texts

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0"), "0.00"),
        (Decimal("1234567.8"), "1,234,567.80"),
        (Decimal("99999999999999999999999999999999999.99"), "99,999,999,999,999,999,999,999,999,999,999,999.99"),
        (Decimal("-0.05"), "-0.05"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_money_is_exact(value: object, text: str) -> None:
    assert texts.money(value) == text


def test_counts_and_shares() -> None:
    assert [texts.count(value) for value in (0, 1234, -5, None)] == ["0", "1,234", "-5", "–"]
    assert [texts.share(value) for value in (Decimal("0.125"), 1.0, None)] == ["12.5 %", "100.0 %", "–"]


def test_a_change_has_a_sign() -> None:
    values = (Decimal("12.5"), Decimal("-12.5"), Decimal("0.00"))
    assert [texts.change(value, texts.money(value)) for value in values] == ["+12.50", "−12.50", "±0"]


def test_sizes() -> None:
    values = (0, 999, 1_000, 999_949, 999_950, 3_400_000_000, 10**16)
    assert [texts.size(value) for value in values] == [
        "0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "3.4 GB", "10,000.0 TB"
    ]  # fmt: skip


def test_days_and_moments() -> None:
    assert texts.day(date(2026, 3, 4)) == "4 Mar 2026"
    assert texts.day(None) == "–"
    assert texts.moment(NOW - timedelta(seconds=1), NOW) == "11:59:59 UTC"
    assert texts.moment(datetime(2026, 11, 20, 23, 59), NOW) == "20 Nov 2026, 23:59 UTC"  # noqa: DTZ001 - has no zone
    assert texts.moment(None, NOW) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert texts.age(NOW - timedelta(seconds=seconds), NOW) == text
