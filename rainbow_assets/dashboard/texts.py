"""How numbers, moments and ages read. Not here: where they stand on the page (`parts.py`)."""

from datetime import UTC, date, datetime
from decimal import Decimal

NONE = "–"
UNITS = ("B", "kB", "MB", "GB", "TB")
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def money(value: object) -> str:
    """`1,234,567.80`: exact, with two decimals."""
    return NONE if _missing(value) else f"{Decimal(str(value)):,.2f}"


def count(value: object) -> str:
    """`1,234`."""
    return NONE if _missing(value) else f"{int(str(value)):,}"


def change(value: object, text: str) -> str:
    """The text of a value with its sign: `+1,234.00`, `−5`; `±0` for nothing."""
    number = Decimal(str(value))
    return "±0" if not number else ("+" if number > 0 else "−") + text.lstrip("-")


def share(value: object) -> str:
    """`12.3 %` of a fraction."""
    return NONE if _missing(value) else f"{float(str(value)):.1%}".replace("%", " %")


def size(value: float) -> str:
    """`1.2 MB`, in powers of 1,000."""
    number, unit = float(value), 0
    while number >= 999.95 and unit < len(UNITS) - 1:
        number, unit = number / 1_000, unit + 1
    return f"{number:,.1f} {UNITS[unit]}" if unit else f"{number:,.0f} {UNITS[0]}"


def name(value: object) -> str:
    """The value as it is."""
    return NONE if _missing(value) else str(value)


def day(value: date | None) -> str:
    """`20 Nov 2026`."""
    return NONE if _missing(value) or value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None, now: datetime) -> str:
    """`12:03:21 UTC`, with the day before it unless that is today."""
    if _missing(value) or value is None:
        return NONE
    value = utc(value)
    return f"{value:%H:%M:%S} UTC" if value.date() == now.date() else f"{day(value.date())}, {value:%H:%M} UTC"


def age(value: datetime | None, now: datetime) -> str:
    """`4 s`, `12 min`, `3 h` or `2 d`: how long ago that was, rounded down; never negative."""
    if _missing(value) or value is None:
        return NONE
    return duration((now - utc(value)).total_seconds())


def duration(seconds: float) -> str:
    """`4 s`, `12 min`, `3 h` or `2 d`, rounded down."""
    whole = max(0, int(seconds))
    for length, unit in ((2 * DAY, "d"), (2 * HOUR, "h"), (2 * MINUTE, "min")):
        if whole >= length:
            return f"{whole // {'d': DAY, 'h': HOUR, 'min': MINUTE}[unit]} {unit}"
    return f"{whole} s"


def utc(value: datetime) -> datetime:
    """The moment with its zone: what has none is in UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _missing(value: object) -> bool:
    """None, NaN and NaT."""
    return value is None or value != value  # what is not equal to itself is missing
