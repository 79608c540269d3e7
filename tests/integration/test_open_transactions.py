"""A transaction that is open in the source when its day is read: waited for, told, and its rows taken all the same."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import psycopg
import pytest

from rainbow_assets.defs.landing.assets import landing_asset
from rainbow_assets.defs.raw.assets import raw_asset
from rainbow_assets.defs.resources import Lake
from rainbow_assets.landing import transactions
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.stack import credentials as stored
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.tables import TABLES

pytestmark = pytest.mark.integration

MARCH_1, MARCH_2 = date(2026, 3, 1), date(2026, 3, 2)
LATE = "INSERT INTO orders (id, created_at, updated_at) VALUES (77, '2026-03-01 23:59:58', '2026-03-01 23:59:58')"


@pytest.fixture
def url(fresh_settings: Settings) -> str:
    url = fresh_settings.secret("source_url")
    create_schema(url)
    return url


@pytest.fixture
def till(url: str) -> Iterator[psycopg.Connection]:
    """A session that has begun a transaction and does nothing."""
    with psycopg.connect(url, application_name="till") as connection:
        connection.execute("SELECT 1")
        yield connection


def clock(url: str) -> datetime:
    return postgres.fetch(url, "test", "SELECT clock_timestamp() AT TIME ZONE 'UTC'")[0][0]


def patience(seconds: float) -> float:
    return time.monotonic() + seconds


def test_what_began_before_the_days_end_is_waited_for_and_told(url: str, till: psycopg.Connection) -> None:
    end = clock(url)
    lines: list[str] = []
    with psycopg.connect(url) as later:
        later.execute("SELECT 1")
        found = transactions.wait(url, end, patience(0.5), lines.append)  # it does not end
        assert (found.passed, len(found.sessions)) == (False, 1)
        assert str(found).startswith(
            f"session {till.info.backend_pid} of rainbow_shop (till), idle in transaction, since"
        )
        assert lines == [line for line in lines if line.startswith(f"waiting for {found}")]
        assert lines
        threading.Timer(0.5, till.commit).start()
        assert transactions.wait(url, end, patience(60), lines.append).passed  # it ends; the later one does not


def test_a_day_ends_when_it_ends_in_the_source(url: str) -> None:
    found = transactions.wait(url, clock(url) + timedelta(seconds=1), patience(60), lambda _: None)
    assert found.has_ended
    assert found.passed
    found = transactions.wait(url, clock(url) + timedelta(hours=2), patience(60), lambda _: None)  # not waited for
    assert (found.passed, found.untold) == (False, "the day has not ended in the source")


def test_what_cannot_be_seen_is_told(stack: Settings, url: str, till: psycopg.Connection) -> None:
    admin = url.replace(url.split("@")[0], f"postgresql://postgres:{stored.ensure(stack.home).postgres}")
    database = till.info.dbname
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE ROLE teller LOGIN PASSWORD 'teller'")
        try:
            connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO teller'.encode())
            teller = url.replace(url.split("@")[0], "postgresql://teller:teller")
            end = clock(url)
            found = transactions.look(teller, end)
            assert (found.passed, found.sessions) == (False, [])
            assert "sessions of other roles are hidden: GRANT pg_read_all_stats TO teller" in str(found)
            assert found.settled(transactions.Days(MARCH_1, MARCH_2)) is None
            connection.execute("GRANT pg_read_all_stats TO teller")
            found = transactions.look(teller, end)
            assert (found.untold, [session.application for session in found.sessions]) == ("", ["till"])
            with psycopg.connect(admin, autocommit=True) as silent:  # only a superuser may
                silent.execute("SET track_activities = off")
                assert "track_activities" in transactions.look(teller, end).untold
        finally:
            connection.execute("DROP OWNED BY teller")
            connection.execute("DROP ROLE teller")


def test_its_day_is_not_verified_and_the_next_run_takes_its_rows(
    fresh_settings: Settings, till: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The source's clock cannot be turned back: a transaction of today is taken for one of March 1.
    days = (datetime.now(UTC).date() - MARCH_1).days
    began = transactions.WRITERS.replace("xact_start", f"(xact_start - interval '{days} days')")
    monkeypatch.setattr(transactions, "WRITERS", began)
    fresh_settings.record(open_transactions_wait=1)
    assets = [landing_asset(TABLES["orders"]), raw_asset(TABLES["orders"])]
    till.execute(LATE)

    def run(day: date) -> tuple[dict[str, dg.AssetCheckEvaluation], str]:
        with dg.DagsterInstance.ephemeral() as instance:
            done = dg.materialize(assets, partition_key=str(day), resources={"lake": Lake()}, instance=instance)
            said = " ".join(entry.user_message for entry in instance.all_logs(done.run_id))
        return {check.check_name: check for check in done.get_asset_check_evaluations()}, said

    def covered() -> list[tuple[date, date]]:
        with ducklake.connect(fresh_settings) as lake:
            return lake.execute("SELECT first_day, last_day FROM lake.ops.coverage ORDER BY ALL").fetchall()

    checks, said = run(MARCH_1)
    is_open = checks["no_transactions_are_open"]
    assert (is_open.passed, is_open.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"session {till.info.backend_pid} of rainbow_shop (till)" in str(is_open.description)
    assert f"waiting for session {till.info.backend_pid}" in said
    assert checks["holds_every_source_row_once"].passed
    before = (MARCH_1 - timedelta(days=3), MARCH_1 - timedelta(days=1))
    assert covered() == [before]

    till.commit()
    checks, _ = run(MARCH_2)
    assert checks["no_transactions_are_open"].passed
    late = checks["no_rows_come_late"]
    assert (late.passed, late.description) == (False, "Late rows: 1 of 2026-03-01.")
    assert checks["holds_every_source_row_once"].passed
    assert covered() == [before, (before[0] + timedelta(days=1), MARCH_1), (MARCH_2, MARCH_2)]
    with ducklake.connect(fresh_settings) as lake:
        assert lake.execute("SELECT id, change_date FROM lake.raw.orders").fetchall() == [(77, MARCH_1)]
