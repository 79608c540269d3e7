"""Names and listings of landing files."""

from datetime import date

import pytest

from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.window import Days

JAN_1, JAN_2, JAN_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)


class Store:
    """An S3 client that lists a fixed set of names as S3 does: by prefix, after a name, in byte order."""

    def __init__(self, *names: str) -> None:
        self.names = sorted(names)

    def get_paginator(self, operation):
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket, Prefix, StartAfter):  # noqa: N803 - boto3's names
        found = [name for name in self.names if name.startswith(Prefix) and name > StartAfter]
        yield {"Contents": [{"Key": name} for name in found]} if found else {}


def key(day: date, name: str = "a", table: str = "orders") -> str:
    return landing_files.new_key(table, day, name)


def days_listed(store: Store, days: Days) -> list[date]:
    return [file.day for file in landing_files.files(store, "b", "orders", days)]


def test_the_name_carries_table_and_day():
    assert key(JAN_1, "x") == "raw/orders/change_date=2026-01-01/x.parquet"
    assert (
        LandingFile("orders", JAN_1, "b", key(JAN_1, "x")).uri == "s3://b/raw/orders/change_date=2026-01-01/x.parquet"
    )


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(JAN_1, JAN_1, [JAN_1]), (JAN_2, JAN_3, [JAN_2, JAN_3]), (JAN_1, JAN_2, [JAN_1, JAN_2])],
)
def test_a_listing_holds_its_days_and_no_others(first, last, expected):
    store = Store(key(JAN_1), key(JAN_2), key(JAN_3), key(JAN_1, table="orderdetails"))
    assert days_listed(store, Days(first, last)) == expected


def test_a_listing_leaves_out_what_is_no_landing_file():
    store = Store(key(JAN_1), "raw/orders/change_date=2026-01-01/part.tmp", "raw/orders/readme.parquet")
    assert days_listed(store, Days(JAN_1, JAN_3)) == [JAN_1]


def test_the_first_partition_lists_what_was_the_first_one_before():
    store = Store(*(key(day) for day in (JAN_1, JAN_2, JAN_3)))
    assert days_listed(store, Days(JAN_2, JAN_2, open_start=True)) == [JAN_1, JAN_2]
    assert days_listed(store, Days(JAN_2, JAN_2, since=JAN_1)) == [JAN_1, JAN_2]
    assert days_listed(store, Days(JAN_2, JAN_2)) == [JAN_2]
