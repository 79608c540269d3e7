"""The sensor that watches: every 30 s it looks at what happened and lets `rainbow_assets/ops/alerts` decide.

Not here: what is looked at (`events.py`, `signs.py`), when a message is due, and how it is sent.
"""

import time
from collections.abc import Iterator
from functools import partial

import dagster as dg

from rainbow_assets.defs.automation import events, signs
from rainbow_assets.defs.automation.runs import fail_dead_runs
from rainbow_assets.ops.alerts.incidents import Incident, Observation
from rainbow_assets.ops.alerts.watch import Round, watch
from rainbow_assets.settings import Settings

NAME = "alerts"
AWAKE = 300.0  # seconds; a longer pause between two ticks is the daemon's own, and the others need time to wake


def tick(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Read the events since the last tick, look around, and keep the book of incidents."""
    settings, now, instance = Settings.load(), time.time(), context.instance
    fail_dead_runs(instance)
    seen, cursor = events.read(instance, events.Cursor.of(context.cursor, now), settings.alert_ui_url, now)
    names = instigators(context.repository_def) - {NAME}
    was_awake = now - (context.last_tick_completion_time or 0.0) < AWAKE
    done = watch(settings, partial(_look, instance, settings, seen, names, now, was_awake))
    context.update_cursor(str(cursor))
    return dg.SkipReason(str(done))


alerts = dg.SensorDefinition(
    name=NAME,
    evaluation_fn=tick,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of failed runs and checks, late partitions, failed ticks and dead daemons, once each, and of "
    "their recovery: by e-mail, Slack or a webhook, as the settings say. `rainbow alerts` lists what is open.",
)


def look_from_outside(settings: Settings, repository: dg.RepositoryDefinition) -> Round:
    """The same without the daemon, and with what the sensor cannot see: that nothing runs it.

    The environment says where the Dagster instance is.
    """
    now = time.time()
    with dg.DagsterInstance.get() as instance:
        fail_dead_runs(instance)
        seen = events.read_day(instance, settings.alert_ui_url, now)
        return watch(settings, partial(_look, instance, settings, seen, instigators(repository), now, True))


def instigators(repository: dg.RepositoryDefinition | None) -> set[str]:
    """The names of the sensors and schedules of the code: what else the instance remembers is gone."""
    if repository is None:
        return set()
    return {one.name for one in repository.sensor_defs} | {one.name for one in repository.schedule_defs}


def _look(
    instance: dg.DagsterInstance,
    settings: Settings,
    seen: list[Observation],
    names: set[str],
    now: float,
    was_awake: bool,
    incidents: list[Incident],
) -> Iterator[Observation]:
    yield from seen
    yield from signs.late_partitions(instance, settings, incidents, now)
    yield from signs.stream(settings, now)
    yield from signs.ticks(instance, names, settings.alert_ui_url, now)
    if was_awake:
        yield from signs.silent_sensors(instance, names, settings.alert_ui_url, now)
        yield from signs.daemons(instance, settings.alert_ui_url, now)
