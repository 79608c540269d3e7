"""The days of a run: their tags, and those before them that are looked back on."""

from datetime import date

import pytest

from rainbow_assets import window
from rainbow_assets.window import RANGE_END, RANGE_START, Days

JAN_1, JAN_2, JAN_3 = (date(2026, 1, day) for day in (1, 2, 3))


@pytest.mark.parametrize(
    ("tags", "days", "keys"),
    [
        ({"dagster/partition": "2026-01-01"}, Days(JAN_1, JAN_1), {"2026-01-01"}),
        ({RANGE_START: "2026-01-02", RANGE_END: "2026-01-03"}, Days(JAN_2, JAN_3), {"2026-01-02", "2026-01-03"}),
        ({"some": "tag"}, None, set()),
        ({RANGE_START: "2026-01-02"}, None, set()),
        ({"dagster/partition": "north"}, None, {"north"}),  # of an asset that a user has added
        ({RANGE_START: "a", RANGE_END: "c"}, None, {"a", "c"}),
    ],
)
def test_a_run_says_its_days(tags, days, keys):
    assert window.of_tags(tags) == days
    assert window.keys_of_tags(tags) == keys


def test_tags_are_read_as_they_were_written():
    assert window.of_tags(window.range_tags(JAN_1, JAN_3)) == Days(JAN_1, JAN_3)
    assert window.range_tags(JAN_1, JAN_1) == {}


def test_days_are_a_closed_range():
    days = Days(JAN_1, JAN_2)
    assert JAN_1 in days
    assert JAN_2 in days
    assert JAN_3 not in days
    assert str(days) == "2026-01-01..2026-01-02"
    assert str(Days(JAN_1, JAN_1)) == "2026-01-01"


@pytest.mark.parametrize(
    ("days", "number", "looked_back_on"),
    [
        (Days(JAN_3, JAN_3), 1, Days(JAN_2, JAN_2)),
        (Days(JAN_3, JAN_3), 2, Days(JAN_1, JAN_2)),
        (Days(JAN_3, JAN_3), 3, Days(JAN_1, JAN_2, since=date(2025, 12, 31))),  # JAN_1 takes what is older
        (Days(JAN_2, JAN_3), 1, Days(JAN_1, JAN_1)),
        (Days(JAN_3, JAN_3), 0, None),
        (Days(JAN_1, JAN_3, open_start=True), 3, None),
    ],
)
def test_what_is_looked_back_on(days, number, looked_back_on):
    assert window.look_back(days, number, JAN_1) == looked_back_on
    scope = window.with_look_back(days, number, JAN_1)
    assert (scope.first, scope.last) == ((looked_back_on or days).first, days.last)
    assert (scope.since, scope.open_start) == (looked_back_on.since if looked_back_on else None, days.open_start)
