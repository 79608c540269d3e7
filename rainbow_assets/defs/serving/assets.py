"""warehouse and marts -> ClickHouse: one step for the whole set, as it is published at once or not at all."""

from collections.abc import Iterator

import dagster as dg

from rainbow_assets.defs.conventions import FRESH, OWNERS, check_spec, told_failures, what_to_do
from rainbow_assets.defs.resources import Lake
from rainbow_assets.pipeline import audit, open_checks
from rainbow_assets.pipeline.publish import publish
from rainbow_assets.pipeline.publish_compare import compare
from rainbow_assets.pipeline.publish_lake import require_whole_build
from rainbow_assets.pipeline.publish_tables import SERVED
from rainbow_assets.speed.agreement import Agreement
from rainbow_assets.systems import clickhouse, postgres

EQUALS = "equals_the_lake"
BY_DAY, AGREED = "sales_by_day", "speed_part_was_right"
SAMPLE = 5
SET = "serving/*"


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["serving", name])


@dg.multi_asset(
    name="serving",
    specs=[
        dg.AssetSpec(
            _key(item.name),
            deps=[[item.schema, item.name]],
            group_name="serving",
            kinds={"clickhouse"},
            owners=OWNERS,
            freshness_policy=FRESH,
            description=f"`lake.{item.schema}.{item.name}` in ClickHouse, as the view `{item.view}`. "
            "The whole set changes at once: a reader never sees tables of two publications.",
        )
        for item in SERVED
    ],
    check_specs=[
        check_spec(
            _key(item.name),
            EQUALS,
            "ClickHouse shows what the lake holds: marts row for row, the star by counts and exact sums.",
            blocking=True,
        )
        for item in SERVED
    ]
    + [
        check_spec(
            _key(BY_DAY),
            AGREED,
            "What the live views said before this publication is what they say with it: the speed part was right.",
        )
    ],
    pool="serving",
)
def serving(
    context: dg.AssetExecutionContext, lake: Lake
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Publish what changed since the last publication, then compare ClickHouse with the lake."""
    settings, run_id = lake.settings, context.run.run_id
    url = settings.secret("catalog_url")
    with (
        told_failures(context),
        # No build runs meanwhile, and no other publication.
        postgres.lock(url, "RAINBOW_CATALOG_URL", "warehouse"),
        clickhouse.connect(settings) as client,
    ):
        open_checks.require_none(lake.connection, url)
        require_whole_build(lake.connection)
        audit.require(lake.connection)
        # What differed is written, and compared, whole.
        anew = open_checks.is_open(lake.connection, SET, (EQUALS,), None)
        done = publish(settings, run_id, client, lake.connection, full=anew)
        different = {
            difference.name: difference for difference in compare(settings, client, lake.connection, everything=anew)
        }
        wrong = f"ClickHouse differs from the lake in {', '.join(different)}" if different else None
        open_checks.settle(lake.connection, url, SET, {EQUALS: wrong}, None, run_id)
    tables = {table.name: table for table in done.tables}
    for item in SERVED:
        table = tables[item.name]
        yield dg.MaterializeResult(
            asset_key=_key(item.name),
            metadata={
                "dagster/table_name": f"rainbow.{item.view}",
                "dagster/row_count": table.rows,
                "publication": done.id,
                "lake_snapshot": done.lake_snapshot,
                "rows_written": table.rows_written,
                "slices": f"{table.slices_written} of {table.slices} written",
            },
        )
    for item in SERVED:
        found = different.get(item.name)
        yield dg.AssetCheckResult(
            asset_key=_key(item.name),
            check_name=EQUALS,
            passed=found is None,
            description=str(found) if found else None,
            metadata=dict(what_to_do(EQUALS)),
        )
    yield _agreement(done.agreement or Agreement(reason="The first publication."))


def _agreement(found: Agreement) -> dg.AssetCheckResult:
    """The comparison of the speed part with the batch layer that has caught up."""
    return dg.AssetCheckResult(
        asset_key=_key(BY_DAY),
        check_name=AGREED,
        passed=not found.differences,
        severity=dg.AssetCheckSeverity.WARN,
        description=found.reason or "; ".join(str(day) for day in found.differences[:SAMPLE]) or None,
        metadata={
            "days_different": len(found.differences),
            "sample": dg.MetadataValue.json([str(day) for day in found.differences[:SAMPLE]]),
            **what_to_do(AGREED),
        },
    )
