"""The alerts' sensor on real Dagster instances, with the book in PostgreSQL: what is seen, told, kept and shown."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from alert_servers import Endpoint, http_server

from rainbow_assets.definitions import defs
from rainbow_assets.defs.automation import events
from rainbow_assets.defs.automation.alerts import tick
from rainbow_assets.settings import Settings

pytestmark = pytest.mark.integration

UI = "http://127.0.0.1:3000"
PARTITIONS = dg.DailyPartitionsDefinition("2026-01-01")
RESULT = {"passed": True, "severity": dg.AssetCheckSeverity.ERROR, "description": None, "boom": ""}


@dg.asset(
    key=["raw", "orders"], partitions_def=PARTITIONS, check_specs=[dg.AssetCheckSpec("is_whole", asset=["raw", "orders"])]
)
def orders() -> Iterator[object]:
    if RESULT["boom"]:
        raise dg.Failure(RESULT["boom"], allow_retries=False)
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(
        check_name="is_whole",
        passed=RESULT["passed"],
        severity=RESULT["severity"],
        description=RESULT["description"],
        metadata={"missing": 3, "sample": ["not to be told"]},
    )


JOB = dg.Definitions(assets=[orders], jobs=[dg.define_asset_job("batch_job", [orders])]).resolve_job_def("batch_job")


class Watcher:
    """A sensor's life on one instance: runs of a job between its ticks, and the messages that came."""

    def __init__(self, instance: dg.DagsterInstance, endpoint: Endpoint) -> None:
        self.instance, self.endpoint, self.cursor = instance, endpoint, None

    def run(self, day: str = "2026-03-01", **result: object) -> str:
        RESULT.update({"passed": True, "description": None, "boom": "", "severity": dg.AssetCheckSeverity.ERROR})
        RESULT.update(result)
        return JOB.execute_in_process(instance=self.instance, partition_key=day, raise_on_error=False).run_id

    def tick(self) -> str:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, definitions=defs)
        said = tick(context).skip_message
        self.cursor = context.cursor
        return said

    def told(self) -> list[dict]:
        """What came since the last time it was asked."""
        posts, self.endpoint.posts = self.endpoint.posts, []
        return [json.loads(body) for _, _, body in posts]

    def titles(self) -> list[str]:
        self.tick()
        return [told["title"] for told in self.told()]


@pytest.fixture
def webhook(fresh_settings: Settings, monkeypatch) -> Iterator[Endpoint]:
    """An endpoint that the settings name, and an end date, so that nothing is late."""
    with http_server(Endpoint()) as endpoint:
        monkeypatch.setenv("RAINBOW_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{endpoint.port}/hook-s3cr3t")
        monkeypatch.setenv("RAINBOW_END_DATE", "2026-03-31")
        yield endpoint


@pytest.fixture
def watcher(webhook: Endpoint) -> Iterator[Watcher]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watcher(instance, webhook)


def test_a_failed_check_that_stops_nothing_is_told_once_and_when_it_recovers(watcher: Watcher):
    good = watcher.run()
    assert watcher.titles() == []
    failed = watcher.run(passed=False, severity=dg.AssetCheckSeverity.WARN, description="Run it again.")
    watcher.tick()
    [told] = watcher.told()
    assert told["title"] == "Rainbow failed: check is_whole of raw/orders failed (a warning): missing 3: Run it again."
    [facts] = told["incidents"]
    assert facts["where"] == f"raw/orders, 2026-03-01, run {failed[:8]}"
    assert facts["last_good"].endswith(f"run {good[:8]}")
    assert facts["link"] == f"{UI}/assets/raw/orders?view=checks&checkDetail=is_whole"
    assert abs(datetime.fromisoformat(facts["since"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert "not to be told" not in json.dumps(told)

    for _ in range(3):
        watcher.run(passed=False)
        assert watcher.titles() == []
    watcher.run()
    [title] = watcher.titles()
    assert title.startswith("Rainbow recovered: check is_whole of raw/orders")
    assert watcher.titles() == []


def test_a_failed_run_says_why_and_another_day_does_not_mend_it(watcher: Watcher):
    good = watcher.run("2026-03-01")
    failed = watcher.run("2026-03-02", boom="The source is gone.\nA second line.")
    watcher.tick()
    [told] = watcher.told()
    assert told["title"] == "Rainbow failed: run of batch_job failed: raw/orders: The source is gone."
    [facts] = told["incidents"]
    assert facts["where"] == f"batch_job, 2026-03-02, run {failed[:8]}"
    assert "2026-03-01" in facts["last_good"]
    assert good[:8] in facts["last_good"]
    assert facts["link"] == f"{UI}/runs/{failed}"
    watcher.run("2026-03-01")
    assert watcher.titles() == []
    watcher.run("2026-03-02")
    assert watcher.titles() == ["Rainbow recovered: run of batch_job failed: raw/orders: The source is gone."]


def test_what_came_and_went_between_two_ticks_is_told(watcher: Watcher, monkeypatch):
    monkeypatch.setattr(events, "SETTLED", 0.0)
    for _ in range(3):
        watcher.run()
        watcher.tick()
    watcher.run(boom="For a moment.")
    watcher.run()
    assert [title.split(":")[0] for title in watcher.titles()] == ["Rainbow failed", "Rainbow recovered"]


def test_the_first_tick_tells_only_how_things_stand(watcher: Watcher):
    watcher.run("2026-03-01", boom="Long ago.")
    watcher.run("2026-03-01")
    watcher.run("2026-03-02", boom="Still.")
    assert watcher.titles() == ["Rainbow failed: run of batch_job failed: raw/orders: Still."]


def test_a_thousand_failures_are_one_message(watcher: Watcher):
    for number in range(1_000):
        watcher.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(dg.AssetKey("a"), "c", passed=False, description=f"number {number}")
        )
        if number in {0, 500}:
            watcher.tick()
    for _ in range(3):
        watcher.tick()
    assert len(watcher.told()) == 1
    watcher.instance.report_runless_asset_event(dg.AssetCheckEvaluation(dg.AssetKey("a"), "c", passed=True))
    assert len(watcher.titles()) == 1


@pytest.mark.parametrize("settled", [-1.0, 60.0])
def test_a_backlog_is_read_page_by_page(watcher: Watcher, monkeypatch, settled: float):
    monkeypatch.setattr(events, "PAGE", 4)
    monkeypatch.setattr(events, "SETTLED", settled)
    for number in range(10):
        watcher.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(dg.AssetKey("a"), f"c{number}", passed=False)
        )
    told = [len(watcher.titles()) for _ in range(5)]
    assert told == ([4, 4, 2, 0, 0] if settled < 0 else [4, 0, 0, 0, 0]), "until it is settled it is read again"


def test_a_late_commit_below_the_cursor_is_still_seen(watcher: Watcher, monkeypatch):
    """An event whose number is lower than one that was seen: hidden from the first tick, as if not yet committed."""
    watcher.run(boom="Committed late.")
    watcher.run("2026-03-02")
    with monkeypatch.context() as patch:
        whole = dg.DagsterInstance.fetch_run_status_changes

        def without_failures(self, wanted, **options):
            found = whole(self, wanted, **options)
            hidden = wanted.event_type == dg.DagsterEventType.RUN_FAILURE
            return found._replace(records=[]) if hidden and hasattr(found, "_replace") else found

        patch.setattr(dg.DagsterInstance, "fetch_run_status_changes", without_failures)
        watcher.tick()
    assert watcher.titles() == ["Rainbow failed: run of batch_job failed: raw/orders: Committed late."]
