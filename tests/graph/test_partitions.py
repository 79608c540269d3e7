"""The days of a run, for steps that have no partitions of their own."""

from datetime import date

import pytest

from rainbow_assets.defs.partitions import RANGE_END, RANGE_START, days_of_run
from rainbow_assets.landing.files import Days


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({"dagster/partition": "2026-03-01"}, Days(date(2026, 3, 1), date(2026, 3, 1))),
        ({RANGE_START: "2026-03-01", RANGE_END: "2026-03-04"}, Days(date(2026, 3, 1), date(2026, 3, 4))),
        ({"some": "tag"}, None),
    ],
)
def test_a_run_says_its_days(tags, days):
    assert days_of_run(tags) == days
