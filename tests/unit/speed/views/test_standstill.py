"""That the live views stand still is asked of ClickHouse, and told by the doctor and the alerts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from rainbow_assets.defs.automation import signs
from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.ops import doctor
from rainbow_assets.settings import Settings
from rainbow_assets.speed import tables
from rainbow_assets.speed.capture import java, source
from rainbow_assets.speed.views import standstill
from rainbow_assets.speed.views.standstill import Standstill
from rainbow_assets.systems import clickhouse

WATERMARK = files("rainbow_assets.speed.views").joinpath("sql", "views", "v_watermark.sql").read_text()
PUBLISHED = (
    "CREATE OR REPLACE VIEW publications AS SELECT toUInt64(1) AS publication, 'run' AS run_id, "
    "now64(6, 'UTC') AS published_at",
    "CREATE OR REPLACE VIEW batch_coverage AS SELECT toDate32('2026-03-01') AS day",
)
WHY = "First copy: the publication was made anew"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"clickhouse_url": f"chdb://{tmp_path}/clickhouse", "stream_url": "postgresql://u:p@h/d", "home": tmp_path}
    )


def stand(settings: Settings, why: str, since: timedelta) -> None:
    """What a stream leaves that stands still, beside a publication."""
    with clickhouse.connect(settings) as client:
        tables.prepare(client)
        for statement in PUBLISHED:
            client.command(statement)
        client.command(f"CREATE OR REPLACE VIEW v_watermark AS {WATERMARK}")
        number, until = client.command("SELECT max(flush) + 1 FROM speed_flushes"), datetime.now(UTC) - since
        client.insert(
            tables.FLUSHES,
            [[number, 1, 0, until, 0, 0, json.dumps({"why": why})]],
            ["flush", "lsn", "changes", "live_until", "lag_seconds", "lag_bytes", "position"],
        )


def test_what_clickhouse_says(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert standstill.ask(settings) == Standstill()  # nothing is published yet
    stand(settings, "", timedelta(0))
    assert standstill.ask(settings) == Standstill()
    stand(settings, WHY, timedelta(seconds=500))
    found = standstill.lately(settings)  # in another process
    assert (found.why, round(found.seconds, -2)) == (WHY, 500)
    stand(settings, "", timedelta(0))
    assert standstill.lately(settings) == found  # asked a moment ago
    monkeypatch.setattr(standstill, "OFTEN", 0)
    monkeypatch.setattr(standstill, "WAIT", 0.1)
    with clickhouse.connect(settings):
        assert standstill.lately(settings) == found  # this process has it open
    assert standstill.lately(settings) == Standstill()


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[[Standstill | None, bool], None]:
    """PostgreSQL finds nothing wrong with the slot, if there is one; ClickHouse says this."""

    def say(found: Standstill | None, is_there: bool = True) -> None:
        monkeypatch.setattr(source, "lag", lambda _settings: source.Lag(0, 0, 0, "") if is_there else None)
        monkeypatch.setattr(source, "trouble", lambda _settings: "")
        monkeypatch.setattr(standstill, "ask", lambda _settings: found)
        monkeypatch.setattr(standstill, "lately", lambda _settings: found or Standstill())

    return say


def test_the_doctor_says_why(settings: Settings, says: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "find", lambda: java.Java("/java", 21))
    says(Standstill(WHY, 1))
    with pytest.raises(RainbowError, match=f"The live views stand still: {WHY}") as caught:
        doctor.CHECKS[doctor.SPEED](settings)
    assert not isinstance(caught.value, TransientError)
    for found, is_there in ((Standstill(), True), (None, True), (Standstill(WHY, 1), False)):
        says(found, is_there)
        assert "Debezium" in doctor.CHECKS[doctor.SPEED](settings)


def test_the_alerts_say_why_where_it_lasts(settings: Settings, says: Callable[..., None]) -> None:
    late = settings.alert_stream_lag_seconds
    says(Standstill(WHY, late + 1))
    (seen,) = signs.stream(settings, 1e9)
    assert seen.failure is not None
    assert f"the live views stand still: {WHY}" in seen.failure().what
    for found, is_there in ((Standstill(WHY, late - 1), True), (Standstill(), True), (Standstill(WHY, 1e6), False)):
        says(found, is_there)
        assert [one.failure for one in signs.stream(settings, 1e9)] == [None]
