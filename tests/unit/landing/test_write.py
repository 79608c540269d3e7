"""The SQL of an extraction."""

from datetime import date

from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.write import source_query, within
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days


def test_a_day_is_half_open():
    assert within(Days(date(2026, 1, 5), date(2026, 1, 5))) == (
        "updated_at >= '2026-01-05' AND updated_at < '2026-01-06'"
    )


def test_the_first_partition_takes_everything_older():
    assert within(Days(date(2026, 1, 5), date(2026, 1, 6), open_start=True)) == "updated_at < '2026-01-07'"


def test_values_are_cast_in_the_source():
    columns = Columns(TABLES["orderdetails"].columns)
    query = source_query(TABLES["orderdetails"], columns, Days(date(2026, 1, 1), date(2026, 1, 1)))
    assert 'THEN "price" END)::numeric(18,2) AS "price"' in query
    assert '"quantity"::bigint AS "quantity"' in query
