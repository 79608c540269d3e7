"""What is seen without events: partitions that are late, ticks that failed, sensors and daemons that went silent,
a stream that is late.

Each look says how a thing stands now, good or bad. Not here: the event log (`events.py`).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import dagster as dg

from rainbow_assets.defs.automation.days import PARTITIONED, not_run
from rainbow_assets.errors import RainbowError
from rainbow_assets.ops.alerts.incidents import Failure, Incident, Observation
from rainbow_assets.ops.alerts.messages import moment
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture import source
from rainbow_assets.speed.views import standstill

State = Any  # of a sensor or schedule; dagster has no public name for these two
Tick = Any
LATE = "partition batch_job"
NEVER_RUN = "old partitions batch_job"
LATE_DAYS = 7  # told one by one; what is older is told together
SILENT = 600.0  # seconds without a sign of life of a daemon; of a sensor also ten of its intervals
TICKS = 20  # of each sensor and schedule that are looked at
RECENT = 300.0  # seconds back that every tick counts, not only the last
LOCATION = "rainbow"


def late_partitions(
    instance: dg.DagsterInstance, settings: Settings, incidents: Iterable[Incident], now: float
) -> Iterator[Observation]:
    """Every partition that should be there: yesterday's from the hour of the settings on, and all before it.

    The last week's are told one by one, unless the days have ended (`RAINBOW_END_DATE`).
    """
    moment_now = datetime.fromtimestamp(now, UTC)
    yesterday = moment_now.date() - timedelta(days=1)
    newest = yesterday if moment_now.hour >= settings.alert_late_hour else yesterday - timedelta(days=1)
    week = yesterday - timedelta(days=LATE_DAYS) if settings.ended(yesterday) is None else yesterday
    missing = {str(day): day for day in not_run(instance, settings, min(newest, settings.end_date or newest))}
    told = {day for incident in incidents if incident.thing == LATE for day in incident.days}
    told |= {name for name, day in missing.items() if day > week}
    for day in sorted(told):
        failure = partial(_late, instance, settings, day) if day in missing else None
        yield Observation(LATE, now, now, failure, frozenset([day]))
    old = [day for day in missing if day not in told]
    yield Observation(NEVER_RUN, now, now, partial(_never_run, settings, old) if old else None)


def ticks(instance: dg.DagsterInstance, names: Iterable[str], ui_url: str, now: float) -> Iterator[Observation]:
    """The ticks of these sensors and schedules: the last one, and all of the last minutes; what is off is well."""
    for state in _states(instance, names):
        kind = state.instigator_type.value.lower()
        if state.status.value == "STOPPED":
            yield Observation(f"{kind} {state.instigator_name} ticks", now, now)
            continue
        done = [
            tick
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=TICKS)
            if tick.status.value in {"SUCCESS", "SKIPPED", "FAILURE"}
        ]
        for place, tick in reversed(list(enumerate(done))):
            if place == 0 or tick.timestamp > now - RECENT:
                failed = tick.status.value == "FAILURE"
                failure = partial(_failed_tick, kind, tick, done[place:], ui_url) if failed else None
                yield Observation(f"{kind} {state.instigator_name} ticks", tick.timestamp, tick.timestamp, failure)


def silent_sensors(
    instance: dg.DagsterInstance, names: Iterable[str], ui_url: str, now: float
) -> Iterator[Observation]:
    """Sensors that are on and yet have not ticked for long."""
    for state in _states(instance, names):
        data = state.instigator_data
        if state.instigator_type.value != "SENSOR" or data is None:
            continue
        last = max(data.last_tick_start_timestamp or 0.0, data.last_sensor_start_timestamp or 0.0)
        on = last and state.status.value != "STOPPED"
        silent = on and now - last > max(SILENT, 10 * (data.min_interval or 0))
        link = f"{ui_url}/locations/{LOCATION}/sensors/{quote(state.instigator_name)}"
        what = f"sensor {state.instigator_name} is silent: it is on, but does not tick"
        failure = partial(Failure, what, f"sensor {state.instigator_name}", link, moment(last)) if silent else None
        yield Observation(f"sensor {state.instigator_name} lives", last if silent else now, now, failure)


def daemons(instance: dg.DagsterInstance, ui_url: str, now: float) -> Iterator[Observation]:
    """The daemons that this instance needs and that ran before: their heartbeats."""
    needed = set(instance.get_required_daemon_types())
    for kind, beat in instance.get_daemon_heartbeats().items():
        if kind not in needed:
            continue
        dead = now - beat.timestamp > SILENT
        what = f"daemon {kind} is dead: no heartbeat"
        where, link = "the Dagster daemon (`rainbow ui` runs it)", f"{ui_url}/deployment/daemons"
        failure = partial(Failure, what, where, link, moment(beat.timestamp)) if dead else None
        yield Observation(f"daemon {kind}", beat.timestamp if dead else now, now, failure)


def stream(settings: Settings, now: float) -> Iterator[Observation]:
    """How far `rainbow stream` is behind, asked of PostgreSQL, and why the live views stand still, of ClickHouse.

    Without a slot there is no stream, and all is well. A short standstill is none: a first copy of a small shop.
    """
    if settings.stream_url is None:
        return
    try:
        lag, trouble = source.lag(settings), source.trouble(settings)
        if lag and not lag.lost and not trouble:
            found = standstill.lately(settings)
            trouble = found.why if found.seconds > settings.alert_stream_lag_seconds else ""
    except RainbowError:
        return  # the source is away: what needs it says so
    late = lag and (
        lag.lost
        or trouble
        or max(lag.seconds, lag.silent) > settings.alert_stream_lag_seconds
        or lag.bytes > settings.alert_stream_lag_bytes
    )
    yield Observation("stream", now, now, partial(_late_stream, settings, lag, trouble, now) if lag and late else None)


def _late_stream(settings: Settings, lag: source.Lag, trouble: str, now: float) -> Failure:
    if lag.lost:
        what = f"the stream's replication slot is lost ({lag.lost}): `rainbow stream` begins with a new first copy"
    elif trouble:
        what = f"the live views stand still: {trouble}"
    elif lag.silent:
        what = "nobody reads the stream's replication slot: start `rainbow stream`, or drop the slot"
    else:
        what = "the stream is late"
    where = f"rainbow stream: {max(lag.seconds, lag.silent):,.0f} s and {lag.bytes:,} bytes behind"
    return Failure(what, where, settings.alert_ui_url, moment(now - max(lag.seconds, lag.silent)))


def _never_run(settings: Settings, days: list[str]) -> Failure:
    return Failure(
        f"{len(days)} older partitions of batch_job were never run",
        f"{days[0]} to {days[-1]}; `rainbow run --from {days[0]} --to {days[-1]}`, or move RAINBOW_START_DATE",
        settings.alert_ui_url,
        "not known",
    )


def _late(instance: dg.DagsterInstance, settings: Settings, day: str) -> Failure:
    missing = [key for key in PARTITIONED if day not in instance.get_materialized_partitions(key)]
    names = ", ".join(key.to_user_string() for key in missing[:3]) + (" …" if len(missing) > 3 else "")
    done = {part for part in instance.get_materialized_partitions(missing[0]) if part < day}
    return Failure(
        f"partition {day} of batch_job is late: not there by {settings.alert_late_hour:02}:00 UTC",
        f"{len(missing)} of {len(PARTITIONED)} assets: {names}",
        f"{settings.alert_ui_url}/assets/{quote(missing[0].to_user_string())}?view=partitions&partition={day}",
        f"partition {max(done)}" if done else "no partition yet",
    )


def _failed_tick(kind: str, tick: Tick, before: list[Tick], ui_url: str) -> Failure:
    error = (tick.error.cause or tick.error) if tick.error else None
    reason = (error.message if error else "").strip().partition("\n")[0]
    good = next((moment(one.timestamp) for one in before if one.status.value != "FAILURE"), "not known")
    return Failure(
        f"a tick of {kind} {tick.instigator_name} failed: {reason}",
        f"{kind} {tick.instigator_name}",
        f"{ui_url}/locations/{LOCATION}/{kind}s/{quote(tick.instigator_name)}",
        good,
    )


def _states(instance: dg.DagsterInstance, names: Iterable[str]) -> list[State]:
    """The sensors and schedules of these names; of several of one name (a location was renamed) the last that ran."""
    if instance.schedule_storage is None:
        return []
    wanted = set(names)
    newest: dict[str, tuple[float, State]] = {}
    for state in instance.all_instigator_state():
        if state.instigator_name in wanted:
            data = state.instigator_data
            started = getattr(data, "last_tick_start_timestamp", None) or getattr(data, "start_timestamp", None) or 0
            held = newest.get(state.instigator_name)
            if held is None or started >= held[0]:
                newest[state.instigator_name] = (started, state)
    return [state for _, state in newest.values()]
