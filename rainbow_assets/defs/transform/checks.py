"""The warnings about what the last build wrote: doubtful values, unknown parents, discounts, open rows of quarantine.

One step for all, on the run's connection: a dbt test each would cost more than it reads. The tests that stop a build
are dbt's own. Not here: what is doubtful (`pipeline/quality.py`).
"""

from collections.abc import Callable, Iterator

import dagster as dg

from rainbow_assets.defs.conventions import check_spec, told_failures, what_to_do
from rainbow_assets.defs.resources import Lake
from rainbow_assets.pipeline import quality
from rainbow_assets.pipeline.quality import STAGED, Finding, Window
from rainbow_assets.systems import ducklake

PRESENT = "values_are_present"
PLAUSIBLE = "values_are_plausible"
PARENTS = "parents_exist"
CLAMPED = "discounts_are_not_clamped"
OPEN = "no_rows_are_open"
FACTS = dg.AssetKey(["warehouse", "fact_sales"])
QUARANTINE = dg.AssetKey(["ops", "quarantine"])


def _specs() -> Iterator[dg.AssetCheckSpec]:
    for name, rules in STAGED.items():
        key = dg.AssetKey(["staging", name])
        if rules.present:
            yield check_spec(key, PRESENT, f"The new rows have {', '.join(rules.present)}.")
        yield check_spec(key, PLAUSIBLE, f"In no new row: {'; '.join(rules.ranges)}.")
        if rules.parents:
            yield check_spec(key, PARENTS, f"What {', '.join(rules.parents)} of the new rows name, the source has.")
    yield check_spec(FACTS, CLAMPED, "Few discounts of the new facts were held at 0 or at the price.")
    yield check_spec(QUARANTINE, OPEN, "No faulty row waits for its correction.")


@dg.multi_asset_check(name="quality", specs=list(_specs()), can_subset=True)
def quality_checks(context: dg.AssetCheckExecutionContext, lake: Lake) -> Iterator[dg.AssetCheckResult]:
    """Look at the rows that the last whole build brought."""
    connection = lake.connection
    with told_failures(context), ducklake.transaction(connection):  # the catalog is asked for its state once
        window = quality.last_build(connection)
        results = [_look(lake, window, key) for key in sorted(context.selected_asset_check_keys)]
    yield from results


def _look(lake: Lake, window: Window, key: dg.AssetCheckKey) -> dg.AssetCheckResult:
    connection, table = lake.connection, key.asset_key.path[-1]
    looks: dict[str, Callable[[], Finding]] = {
        PRESENT: lambda: quality.present(connection, table, window),
        PLAUSIBLE: lambda: quality.plausible(connection, table, window),
        PARENTS: lambda: quality.orphans(connection, lake.settings.secret("source_url"), table, window),
        CLAMPED: lambda: quality.clamped(connection, window),
        OPEN: lambda: quality.open_quarantine(connection),
    }
    found = looks[key.name]()
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=found.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if found.passed else "; ".join(f"{reason}: {rows}" for reason, rows in found.reasons.items()),
        metadata={
            "rows": found.rows,
            "reasons": found.reasons,
            "tolerated": found.tolerated,
            "sample": found.sample,
            **what_to_do(key.name),
        },
    )
