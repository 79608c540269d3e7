"""Dagster's events as observations: runs that ended and checks that were evaluated, each read once in its order.

Here: the reading of the event log with a cursor. Not here: what is seen without events (`signs.py`), and what
follows from it (`rainbow_assets/ops/alerts`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from urllib.parse import quote

import dagster as dg

from rainbow_assets.defs.automation.runs import step_failure
from rainbow_assets.ops.alerts.incidents import Failure, Observation, latest
from rainbow_assets.ops.alerts.messages import moment
from rainbow_assets.window import keys_of_tags

PAGE = 5_000  # events of a kind in one tick
FIRST_LOOK = 86_400.0  # seconds that the first tick looks back
SETTLED = 60.0  # seconds after which an event with a lower number than one that was seen is no longer expected
DAILY_LAYERS = ("landing", "raw")  # their checks are about the days of the run
ASSET_JOB = "__ASSET_JOB"  # the name that Dagster gives to a run of chosen assets


@dataclass(frozen=True)
class Cursor:
    """How far the event log is read.

    PostgreSQL numbers events when they are written, not when they are committed: one may appear below a number
    that was seen. So the log is read from `safe`, which follows `seen` a minute later; what is seen twice
    changes nothing.
    """

    since: float
    safe: int = 0
    seen: int = 0
    at: float = 0.0

    @classmethod
    def of(cls, text: str | None, now: float) -> "Cursor":
        """The cursor that the last tick left; without one, from a day ago."""
        return cls(**json.loads(text)) if text else cls(since=now - FIRST_LOOK, at=now)

    def __str__(self) -> str:
        """For the next tick."""
        return json.dumps(asdict(self))

    def moved(self, newest: int, now: float, settled: bool) -> "Cursor":
        """The next one, after a tick that read up to `newest`; `settled`: all of that is old."""
        if settled:
            return Cursor(self.since, newest, newest, now)
        if now - self.at < SETTLED:
            return self
        return Cursor(self.since, max(self.safe, self.seen), max(self.seen, newest), now)


def read(instance: dg.DagsterInstance, cursor: Cursor, ui_url: str, now: float) -> tuple[list[Observation], Cursor]:
    """What happened after the cursor, in order. While the cursor is new, only how things stand by now."""
    kinds, safe, since = dg.DagsterEventType, cursor.safe, cursor.since
    checks = dg.EventRecordsFilter(kinds.ASSET_CHECK_EVALUATION, after_cursor=safe, after_timestamp=since)
    ends = [
        dg.RunStatusChangeRecordsFilter(kinds.RUN_FAILURE, after_storage_id=safe, after_timestamp=since),
        dg.RunStatusChangeRecordsFilter(kinds.RUN_SUCCESS, after_storage_id=safe, after_timestamp=since),
    ]
    pages = [
        instance.get_event_records(checks, limit=PAGE, ascending=True),
        *(instance.fetch_run_status_changes(one, limit=PAGE, ascending=True).records for one in ends),
    ]
    # Beyond the end of a full page that kind is unknown: the others wait for it.
    end = min((page[-1].storage_id for page in pages if len(page) == PAGE), default=None)
    records = sorted((one for page in pages for one in page), key=lambda one: one.storage_id)
    if end is not None:
        records = [one for one in records if one.storage_id <= end]
    runs = _runs(instance, {one.run_id for one in records})
    seen = [found for one in records if (found := _observation(instance, one, runs, ui_url)) is not None]
    newest = records[-1].storage_id if records else 0
    backlog = end is not None and records[-1].timestamp < now - SETTLED
    return seen if cursor.safe else latest(seen), cursor.moved(newest, now, settled=backlog)


def read_day(instance: dg.DagsterInstance, ui_url: str, now: float) -> list[Observation]:
    """How things stand by the events of the last day, for who keeps no cursor."""
    seen: list[Observation] = []
    cursor = Cursor.of(None, now)
    while True:
        found, following = read(instance, cursor, ui_url, now)
        seen += found
        if following == cursor:
            return latest(seen)
        cursor = following


def _runs(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, dg.DagsterRun]:
    wanted = list(run_ids)
    records = instance.get_run_records(dg.RunsFilter(run_ids=wanted)) if wanted else []
    return {record.dagster_run.run_id: record.dagster_run for record in records}


def _observation(
    instance: dg.DagsterInstance, record: dg.EventLogRecord, runs: Mapping[str, dg.DagsterRun], ui_url: str
) -> Observation | None:
    event, run = record.event_log_entry.get_dagster_event(), runs.get(record.run_id)
    if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return _check(instance, record, event.asset_check_evaluation_data, run, ui_url)
    if run is None or run.tags.get("dagster/will_retry") == "true":
        return None  # deleted meanwhile, or not over yet
    failed = event.event_type == dg.DagsterEventType.RUN_FAILURE
    days = keys_of_tags(run.tags)
    name = _run_name(run)
    return Observation(
        f"run {name}",
        record.timestamp,
        record.storage_id,
        partial(_run_failure, instance, record, run, days, ui_url) if failed else None,
        days,
    )


def _check(
    instance: dg.DagsterInstance,
    record: dg.EventLogRecord,
    check: dg.AssetCheckEvaluation,
    run: dg.DagsterRun | None,
    ui_url: str,
) -> Observation:
    daily = run is not None and check.asset_key.path[0] in DAILY_LAYERS
    days = keys_of_tags(run.tags) if run and daily else frozenset({check.partition} if check.partition else ())
    return Observation(
        f"check {check.asset_key.to_user_string()} {check.check_name}",
        record.timestamp,
        record.storage_id,
        None if check.passed else partial(_check_failure, instance, record, check, days, ui_url),
        days,
    )


def _check_failure(
    instance: dg.DagsterInstance,
    record: dg.EventLogRecord,
    check: dg.AssetCheckEvaluation,
    days: frozenset[str],
    ui_url: str,
) -> Failure:
    asset = check.asset_key.to_user_string()
    warning = "" if check.severity == dg.AssetCheckSeverity.ERROR else " (a warning)"
    counts = [f"{name} {entry.value:,}" for name, entry in check.metadata.items() if isinstance(entry.value, int)][:5]
    said = ": ".join(part for part in (", ".join(counts), check.description) if part)
    key = dg.AssetCheckKey(check.asset_key, check.check_name)
    good = next(
        (
            f"{moment(past.event.timestamp)}, run {past.run_id[:8]}"
            for past in instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
            if past.event and past.status.value == "SUCCEEDED" and past.event.timestamp < record.timestamp
        ),
        "not known",
    )
    return Failure(
        f"check {check.check_name} of {asset} failed{warning}" + (f": {said}" if said else ""),
        ", ".join(part for part in (asset, _span(days), f"run {record.run_id[:8]}") if part),
        f"{ui_url}/assets/{quote(asset)}?view=checks&checkDetail={quote(check.check_name)}",
        good,
    )


def _run_failure(
    instance: dg.DagsterInstance,
    record: dg.EventLogRecord,
    run: dg.DagsterRun,
    days: frozenset[str],
    ui_url: str,
) -> Failure:
    name = _run_name(run)
    past = instance.get_run_records(
        dg.RunsFilter(job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=100
    )
    good = next(
        (
            ", ".join(part for part in (moment(one.end_time), _span(keys_of_tags(one.dagster_run.tags))) if part)
            + f", run {one.dagster_run.run_id[:8]}"
            for one in past
            if one.end_time and one.end_time < record.timestamp and _run_name(one.dagster_run) == name
        ),
        "not known",
    )
    return Failure(
        f"run of {name} failed: {_reason(record.event_log_entry.get_dagster_event())}",
        ", ".join(part for part in (name, _span(days), f"run {run.run_id[:8]}") if part),
        f"{ui_url}/runs/{run.run_id}",
        good,
    )


def _reason(event: dg.DagsterEvent) -> str:
    """The first failed step and what it said; a run that was killed has only Dagster's own words."""
    data = event.job_failure_data if event.event_specific_data else None
    if data and data.first_step_failure_event:
        step = data.first_step_failure_event
        return f"{str(step.step_key).replace('__', '/')}: {step_failure(step)}"
    text = (data.error.message if data and data.error else event.message) or "no reason given"
    return text.strip().partition("\n")[0]


def _run_name(run: dg.DagsterRun) -> str:
    """The job; of a run of chosen assets, those assets."""
    if run.job_name != ASSET_JOB:
        return run.job_name
    return " ".join(sorted(key.to_user_string() for key in run.asset_selection or ())) or "assets"


def _span(days: frozenset[str]) -> str:
    if not days:
        return ""
    return min(days) if len(days) == 1 else f"{min(days)} to {max(days)}"
