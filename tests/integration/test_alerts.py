"""The alerts' sensor on real Dagster instances, with the book in PostgreSQL: what is seen, told, kept and shown."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import dagster as dg
import pytest
from alert_servers import Endpoint, http_server
from real_stack import rainbow

from rainbow_assets.defs.automation import events, signs
from rainbow_assets.defs.automation.alerts import tick
from rainbow_assets.defs.automation.runs import PROCESS, process
from rainbow_assets.ops.alerts import store
from rainbow_assets.settings import Settings
from rainbow_assets.systems import postgres

pytestmark = pytest.mark.integration

UI = "http://127.0.0.1:3000"
PARTITIONS = dg.DailyPartitionsDefinition("2026-01-01")
RESULT = {"passed": True, "severity": dg.AssetCheckSeverity.ERROR, "description": None, "boom": ""}


@dg.asset(
    key=["raw", "orders"],
    partitions_def=PARTITIONS,
    check_specs=[dg.AssetCheckSpec("is_whole", asset=["raw", "orders"])],
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
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
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
    """An endpoint that the settings name, and a first day that is far off, so that nothing is late."""
    with http_server(Endpoint()) as endpoint:
        monkeypatch.setenv("RAINBOW_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{endpoint.port}/hook-s3cr3t")
        monkeypatch.setenv("RAINBOW_START_DATE", "2099-01-01")
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
    assert told["title"] == "Rainbow failed: run of batch_job failed: raw/orders: The source is gone. A second line."
    [facts] = told["incidents"]
    assert facts["where"] == f"batch_job, 2026-03-02, run {failed[:8]}"
    assert "2026-03-01" in facts["last_good"]
    assert good[:8] in facts["last_good"]
    assert facts["link"] == f"{UI}/runs/{failed}"
    watcher.run("2026-03-01")
    assert watcher.titles() == []
    watcher.run("2026-03-02")
    assert watcher.titles() == [
        "Rainbow recovered: run of batch_job failed: raw/orders: The source is gone. A second line."
    ]


def test_a_killed_run_is_told_in_dagsters_words(watcher: Watcher):
    run = watcher.instance.create_run_for_job(JOB, tags={"dagster/partition": "2026-03-02"})
    watcher.instance.report_run_failed(run)
    [title] = watcher.titles()
    assert "marked as failed from outside" in title
    watcher.run("2026-03-02")
    assert watcher.titles() == [title.replace("failed", "recovered", 1)]


def test_a_run_whose_process_was_killed_is_found(watcher: Watcher):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as doomed:
        run = watcher.instance.create_run_for_job(JOB, tags={PROCESS: process(doomed.pid)})
        watcher.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", JOB.name), run.run_id)
        assert watcher.titles() == []
        doomed.kill()
    expected = f"Rainbow failed: run of batch_job failed: The process of run {run.run_id[:8]} was killed."
    assert watcher.titles() == [expected]


def test_a_range_is_mended_by_a_wider_one(watcher: Watcher):
    def ended(first: str, last: str, *, well: bool) -> None:
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        run = watcher.instance.create_run_for_job(JOB, tags=tags)
        kind = dg.DagsterEventType.RUN_SUCCESS if well else dg.DagsterEventType.RUN_FAILURE
        event = dg.DagsterEvent(kind.value, JOB.name, message="Over.")
        watcher.instance.report_dagster_event(event, run.run_id)

    ended("2026-03-01", "2026-03-03", well=False)
    watcher.tick()
    [told] = watcher.told()
    assert told["incidents"][0]["where"].startswith("batch_job, 2026-03-01 to 2026-03-03, run ")
    ended("2026-03-02", "2026-03-09", well=True)
    assert watcher.titles() == []
    ended("2026-02-01", "2026-03-01", well=True)
    assert len(watcher.titles()) == 1


def test_a_run_that_will_be_retried_is_not_over(watcher: Watcher):
    run = watcher.instance.create_run_for_job(JOB, tags={"dagster/will_retry": "true"})
    watcher.instance.report_run_failed(run)
    assert watcher.titles() == []


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
            hidden = wanted.event_type == dg.DagsterEventType.RUN_FAILURE
            return whole(self, wanted._replace(after_storage_id=10**9) if hidden else wanted, **options)

        patch.setattr(dg.DagsterInstance, "fetch_run_status_changes", without_failures)
        assert watcher.titles() == []
    assert watcher.titles() == ["Rainbow failed: run of batch_job failed: raw/orders: Committed late."]


def test_what_cannot_be_sent_is_shown_and_sent_later(watcher: Watcher, fresh_settings: Settings):
    watcher.run()
    watcher.tick()
    watcher.endpoint.answers = [500]
    watcher.run(boom="The source is gone.")
    said = watcher.tick()
    assert said == (
        "1 open, 0 messages sent, 1 unsent; "
        "webhook: RAINBOW_ALERT_WEBHOOK_URL answered 500. Check RAINBOW_ALERT_WEBHOOK_URL."
    )
    assert len(watcher.told()) == 1
    assert watcher.titles() == [], "it waits before it tries again"
    shown = rainbow("alerts")
    assert shown.returncode == 1
    assert "run of batch_job failed: raw/orders: The source is gone." in shown.stdout
    assert "unsent by webhook (failed): 1 tries" in shown.stdout
    assert "s3cr3t" not in said + shown.stdout
    with store.opened(fresh_settings) as book:
        book.incidents[0].notices[0].next_try = 0.0
        book.save()
    assert len(watcher.titles()) == 1
    assert "1 open, 0 messages unsent." in rainbow("alerts").stdout


def test_without_a_channel_incidents_are_kept_shown_and_can_be_closed(watcher: Watcher, monkeypatch):
    monkeypatch.delenv("RAINBOW_ALERT_WEBHOOK_URL")
    watcher.run(boom="Nobody hears.")
    assert watcher.tick() == "1 open, 0 messages sent, 0 unsent"
    shown = rainbow("alerts")
    assert shown.returncode == 1
    assert "Channels: none is set" in shown.stdout
    assert "Nobody hears." in shown.stdout
    assert rainbow("alerts", "--test").returncode == 1
    wrong = rainbow("alerts", "--close", "nope")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    [incident] = shown.stdout.split("    ")[1].split(",")[:1]
    closed = rainbow("alerts", "--close", incident)
    assert (closed.returncode, closed.stdout.splitlines()[-1]) == (0, "0 open, 0 messages unsent.")
    assert watcher.tick() == "0 open, 0 messages sent, 0 unsent", "what was seen before does not open it again"


def test_hostile_texts_and_secrets_stay_out(watcher: Watcher, fresh_settings: Settings):
    password = fresh_settings.secret("catalog_url").partition("@")[0].rpartition(":")[2]
    watcher.run(passed=False, description=f"<!channel>\r\nBcc: x@y\x1b[0m {password} " + "x" * 9_999)
    said = watcher.tick()
    [told] = watcher.told()
    assert "<!channel> Bcc: x@y [0m *** xxx" in told["title"]
    assert len(told["title"]) < 500
    assert len(told["text"].splitlines()) == 5
    kept = repr(store.standing(fresh_settings)) + rainbow("alerts").stdout
    assert password not in json.dumps(told) + said + kept


def test_a_test_message_goes_by_every_channel(webhook: Endpoint):
    done = rainbow("alerts", "--test")
    assert (done.returncode, done.stdout) == (0, "✓ webhook: sent\n")
    assert "this is a test" in json.loads(webhook.posts[0][2])["title"]


def test_yesterday_is_late_until_all_of_it_is_there(watcher: Watcher, monkeypatch):
    today = datetime.now(UTC).date()
    yesterday, before = str(today - timedelta(days=1)), str(today - timedelta(days=2))

    def materialise(day: str, keys: list[dg.AssetKey]) -> None:
        for key in keys:
            watcher.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))

    materialise(before, signs.PARTITIONED)
    monkeypatch.setenv("RAINBOW_START_DATE", before)
    monkeypatch.setenv("RAINBOW_ALERT_LATE_HOUR", "0")
    watcher.tick()
    [told] = watcher.told()
    assert told["title"] == f"Rainbow failed: partition {yesterday} of batch_job is late: not there by 00:00 UTC"
    assert told["incidents"][0]["last_good"] == f"partition {before}"
    materialise(yesterday, signs.PARTITIONED[:-1])
    assert watcher.titles() == []
    materialise(yesterday, signs.PARTITIONED[-1:])
    [title] = watcher.titles()
    assert title.startswith(f"Rainbow recovered: partition {yesterday}")


@pytest.mark.parametrize(
    ("hour", "end", "first", "late", "older"),
    [
        (5, None, "2026-05-01", [], None),
        (6, None, "2026-05-01", ["2026-05-01"], None),
        (23, None, "2026-05-01", ["2026-05-01"], None),
        (6, "2026-05-01", "2026-05-01", ["2026-05-01"], None),  # it is still to come
        (6, None, "2026-05-02", [], None),
        # An absence of days, over the end of a month: a week one by one, what is older together.
        (6, None, "2026-04-28", ["2026-04-28", "2026-04-29", "2026-04-30", "2026-05-01"], None),
        (5, None, "2026-04-28", ["2026-04-28", "2026-04-29", "2026-04-30"], None),
        (6, None, "2026-04-22", [f"2026-04-{day}" for day in range(25, 31)] + ["2026-05-01"], "3 older"),
        (6, "2026-04-30", "2026-04-28", [], "3 older"),  # the days have ended
    ],
)
def test_every_day_that_was_not_run_is_late_from_the_hour_on(
    watcher: Watcher, fresh_settings: Settings, hour, end, first, late, older
):
    values = {"start_date": first, "end_date": end, "alert_late_hour": 6}
    settings = Settings.model_validate(fresh_settings.model_dump() | values)
    now = datetime(2026, 5, 2, hour, 0, tzinfo=UTC).timestamp()
    seen = list(signs.late_partitions(watcher.instance, settings, [], now))
    assert [day for one in seen for day in one.days] == late
    assert all(one.failure for one in seen[:-1])
    told = seen[-1].failure and seen[-1].failure().what
    assert told == (f"{older} partitions of batch_job were never run" if older else None)


def wait_for(endpoint: Endpoint, text: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while not any(text in body.decode() for _, _, body in endpoint.posts):
        assert time.monotonic() < deadline, f"{text!r} never came: {endpoint.posts}\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def test_under_the_real_daemon_failed_ticks_and_the_dead_daemon_are_told(
    fresh_settings: Settings, webhook: Endpoint, short_dir: Path
):
    marker = short_dir / "broken"
    marker.touch()
    (short_dir / "inbox_code.py").write_text(
        dedent(f"""
        from pathlib import Path
        import dagster as dg
        from rainbow_assets.defs.automation.alerts import tick

        ON = dg.DefaultSensorStatus.RUNNING

        @dg.sensor(name="inbox", minimum_interval_seconds=1, default_status=ON)
        def inbox(context):
            if Path({str(marker)!r}).exists():
                raise RuntimeError("no luck")
            return dg.SkipReason("fine")

        alerts = dg.SensorDefinition(
            name="alerts", evaluation_fn=tick, minimum_interval_seconds=1, default_status=ON
        )
        defs = dg.Definitions(sensors=[inbox, alerts])
        """)
    )
    program = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-f", str(short_dir / "inbox_code.py")]
    log = short_dir / "log"
    with log.open("w") as out:
        daemon = subprocess.Popen(program, stdout=out, stderr=out, cwd=short_dir, start_new_session=True)
    try:
        wait_for(webhook, "Rainbow failed: a tick of sensor inbox failed: RuntimeError: no luck", log)
        marker.unlink()
        wait_for(webhook, "Rainbow recovered: a tick of sensor inbox failed: RuntimeError: no luck", log)
        time.sleep(3)
        assert len(webhook.posts) == 2
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
    with postgres.connect(fresh_settings.secret("dagster_url"), "test") as connection:
        for kind, body in connection.execute("SELECT daemon_type, body FROM daemon_heartbeats").fetchall():
            old = json.loads(body) | {"timestamp": time.time() - 3_600}
            connection.execute("UPDATE daemon_heartbeats SET body = %s WHERE daemon_type = %s", [json.dumps(old), kind])
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(dg.AssetCheckEvaluation(dg.AssetKey("a"), "c", passed=False))
    done = rainbow("alerts", "--check")
    assert done.returncode == 1, done.stderr
    assert "daemon SENSOR is dead: no heartbeat" in done.stdout
    assert "check c of a failed" in done.stdout
    wait_for(webhook, "Rainbow failed: daemon SENSOR is dead", log)
