"""Maintenance of the speed layer's tables in ClickHouse: rows that newer ones replaced, records of old flushes.

Not here: what may go (`speed/views/prune.py`).
"""

from collections.abc import Iterator

from rainbow_assets.ops.maintain.plan import Plan, Step
from rainbow_assets.speed.tables import FLUSHES, changes_of
from rainbow_assets.speed.views import prune
from rainbow_assets.systems import clickhouse
from rainbow_assets.tables import TABLES


def maintain_live(plan: Plan) -> Iterator[Step]:
    """Delete what was replaced before the time to keep; as `maintain.maintain`."""
    plan.say("ClickHouse's speed layer")
    with clickhouse.connect(plan.settings) as client, clickhouse.errors(plan.settings, "maintaining the speed layer"):
        if not all(client.query(f"EXISTS {name}").result_rows[0][0] for name in (FLUSHES, "batch_coverage")):
            return
        for table in TABLES.values():
            days = prune.superseded(client, table, plan.older_than, plan.is_dry)
            yield Step(f"ClickHouse {changes_of(table)}", "days of replaced rows deleted", days)
        yield Step(
            f"ClickHouse {FLUSHES}", "days of records deleted", prune.old_flushes(client, plan.older_than, plan.is_dry)
        )
