"""The record of blocking checks that are open: what opens and closes them, and that nothing is published then."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from rainbow_assets.errors import DataError
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.transform import open_checks
from rainbow_assets.transform.open_checks import UNCHECKED
from rainbow_assets.window import Days

pytestmark = pytest.mark.integration

MARCH = Days(date(2026, 3, 1), date(2026, 3, 5))
THIRD = Days(date(2026, 3, 3), date(2026, 3, 3))
COMPLETE, AGREE = "holds_every_source_row_once", "iceberg_equals_ducklake"


@pytest.fixture(scope="module")
def lake(shared_settings):
    with ducklake.connect(shared_settings) as connection:
        open_checks.prepare(connection)
        yield connection


@pytest.fixture(scope="module")
def settings(shared_settings):
    return shared_settings.model_copy(update={"start_date": MARCH.first, "end_date": MARCH.last})


@pytest.fixture(scope="module")
def url(settings):
    return settings.secret("catalog_url")


@pytest.fixture(autouse=True)
def nothing_open(lake):
    yield
    lake.execute(f"DELETE FROM {open_checks.TABLE}")


def test_a_check_stays_open_for_the_days_that_have_not_passed(lake, url, settings):
    open_checks.settle(lake, url, "raw/orders", {COMPLETE: "3 rows missing", AGREE: None}, MARCH, "first")
    open_checks.settle(lake, url, "raw/orders", {COMPLETE: None, AGREE: None}, THIRD, "second")
    open_checks.settle(lake, url, "raw/customers", {COMPLETE: None}, MARCH, "another table")
    [found] = open_checks.standing(lake)
    assert (found.first, found.last, found.days) == (MARCH.first, MARCH.last, 4)
    said = f"raw/orders: {COMPLETE} of 4 days, 2026-03-01 to 2026-03-05 .3 rows missing.* --from 2026-03-01"
    with pytest.raises(DataError, match=said):
        open_checks.require_none(lake, settings)
    open_checks.settle(lake, url, "raw/orders", {COMPLETE: None, AGREE: None}, MARCH, "third")
    open_checks.require_none(lake, settings)


@pytest.mark.parametrize(
    ("asset", "days", "holds"),
    [
        ("landing/orders", THIRD, True),
        ("raw/orders", THIRD, True),
        ("staging/stg_orders", None, True),
        ("warehouse/dim_dates", None, True),
        ("ops/quarantine", None, True),
        ("serving/*", None, False),  # what differs there is mended by a publication
    ],
)
def test_every_layer_holds_the_publication_back(lake, url, settings, asset, days, holds):
    open_checks.settle(lake, url, asset, {"check": "wrong"}, days, "run")
    assert [check.asset for check in open_checks.standing(lake)] == [asset]
    if holds:
        with pytest.raises(DataError, match="Nothing was published"):
            open_checks.require_none(lake, settings)
    else:
        open_checks.require_none(lake, settings)


def test_what_is_registered_is_open_until_it_was_looked_at(lake, settings):
    """The registration and the open check are one snapshot: a run that is killed behind it leaves both."""
    lake.execute(open_checks.opening("raw/orders", {COMPLETE: UNCHECKED, AGREE: UNCHECKED}, THIRD, "killed"))
    with pytest.raises(DataError, match="its run broke off"):
        open_checks.require_none(lake, settings)


def test_a_run_that_is_just_looking_is_waited_for(lake, url, settings):
    lake.execute(open_checks.opening("raw/orders", {COMPLETE: UNCHECKED}, THIRD, "other"))
    with ThreadPoolExecutor(1) as pool, ducklake.connect(settings) as other:
        with postgres.lock(url, "test", "raw.orders"):
            waiting = pool.submit(open_checks.require_none, lake, settings)
            open_checks.settle(other, url, "raw/orders", {COMPLETE: None}, THIRD, "other")
        waiting.result(timeout=60)


def test_a_pass_writes_nothing_where_nothing_is_open(lake, url):
    before = ducklake.current_snapshot(lake)
    open_checks.settle(lake, url, "raw/orders", {COMPLETE: None, AGREE: None}, MARCH, "run")
    assert ducklake.current_snapshot(lake) == before


def test_days_before_a_first_partition_that_was_moved_are_looked_at_by_the_first(lake, url, settings):
    open_checks.settle(lake, url, "raw/orders", {COMPLETE: "3 rows missing"}, THIRD, "before")
    moved = settings.model_copy(update={"start_date": MARCH.last})
    with pytest.raises(DataError, match=f"`rainbow run {MARCH.last}` looks"):
        open_checks.require_none(lake, moved)
    ended = settings.model_copy(update={"end_date": MARCH.first})
    with pytest.raises(DataError, match="Set RAINBOW_END_DATE to 2026-03-03 or later"):
        open_checks.require_none(lake, ended)
    first = Days(MARCH.last, MARCH.last, open_start=True)
    open_checks.settle(lake, url, "raw/orders", {COMPLETE: None}, first, "the new first")
    open_checks.require_none(lake, moved)
