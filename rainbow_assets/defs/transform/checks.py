"""The checks of what dbt has built, in two steps on the run's connection: a dbt test each costs more than it reads.

`audit` blocks: it looks at whole tables of warehouse and marts before serving moves. `quality` warns of doubtful
rows of the last build. The tests that stop a build in its middle are dbt's own. Not here: what is wrong
(`transform/audit.py`) or doubtful (`transform/quality.py`).
"""

from collections.abc import Callable, Iterator

import dagster as dg

from rainbow_assets.defs.conventions import check_spec, told_failures, what_to_do
from rainbow_assets.defs.resources import Lake
from rainbow_assets.defs.transform.news import built_nothing
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.transform import audit, open_checks, quality
from rainbow_assets.transform.quality import STAGED, Finding, Window

KEYS = "keys_are_valid"
APART = "intervals_are_apart"
EXIST = "keys_exist"
SUM = "total_is_the_sum_of_days"
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


def _audits() -> Iterator[dg.AssetCheckSpec]:
    def blocking(table: str, name: str, description: str) -> dg.AssetCheckSpec:
        return check_spec(dg.AssetKey(table.split(".")), name, description, blocking=True)

    for table, key in audit.KEYS.items():
        yield blocking(table, KEYS, f"No {', '.join(key)} is NULL, and none occurs twice.")
    for table, entity in audit.VERSIONS.items():
        yield blocking(table, APART, f"The versions of a {entity} have a length and do not overlap.")
    yield blocking(audit.FACTS, EXIST, "Every key of the facts is one of its dimension.")
    yield blocking(audit.TOTAL, SUM, "One row, with the sums and the newest date of sales_by_day.")


@dg.multi_asset_check(name="audit", specs=list(_audits()), can_subset=True)
def audit_checks(context: dg.AssetCheckExecutionContext, lake: Lake) -> Iterator[dg.AssetCheckResult]:
    """Look at whole tables; what fails keeps every publication back until it is built anew.

    Where the run has built nothing and the last build has passed, there is nothing to look at, and no result.
    """
    run_id = context.run.run_id
    with told_failures(context):
        connection = lake.connection
        if built_nothing(context.run, connection) and audit.is_passed(connection):
            return
    looks: dict[str, Callable[[str], Finding]] = {
        KEYS: lambda table: audit.keys_are_valid(connection, table),
        APART: lambda table: audit.intervals_are_apart(connection, table),
        EXIST: lambda _: audit.keys_exist(connection),
        SUM: lambda _: audit.total_is_the_sum_of_days(connection),
    }
    with (
        told_failures(context),
        # No build runs meanwhile.
        postgres.lock(lake.settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", "warehouse"),
    ):
        with ducklake.transaction(connection):
            found = {
                key: looks[key.name](".".join(key.asset_key.path)) for key in sorted(context.selected_asset_check_keys)
            }
        open_checks.prepare(connection)
        with ducklake.transaction(connection, "judge the build", run_id):
            if wrong := {
                (key.asset_key.to_user_string(), key.name): finding
                for key, finding in found.items()
                if not finding.passed
            }:
                audit.hold_back(connection, run_id, wrong)
            elif len(found) == len(list(_audits())):
                audit.pass_on(connection)
    for key, finding in found.items():
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=finding.passed,
            description=None if finding.passed else f"{finding.rows} rows",
            metadata={"rows": finding.rows, "sample": finding.sample, **what_to_do(key.name)},
        )


@dg.multi_asset_check(name="quality", specs=list(_specs()), can_subset=True)
def quality_checks(context: dg.AssetCheckExecutionContext, lake: Lake) -> Iterator[dg.AssetCheckResult]:
    """Look at the rows that the last whole build brought."""
    with told_failures(context):
        connection = lake.connection
    with told_failures(context), ducklake.transaction(connection):  # the catalog is asked for its state once
        window, idle = quality.last_build(connection), built_nothing(context.run, connection)
        results = [
            _look(lake, window, key)
            for key in sorted(context.selected_asset_check_keys)
            if key.name == OPEN or not idle  # what waits in the quarantine waits, whatever is built
        ]
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
