"""warehouse and marts -> ClickHouse: one step for the whole set, as it is published at once or not at all."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import dagster as dg
from clickhouse_connect.driver.client import Client

from rainbow_assets.defs.conventions import FRESH, NOTHING_NEW, OWNERS, check_spec, told_failures, what_to_do
from rainbow_assets.defs.resources import Lake
from rainbow_assets.defs.transform.news import built_nothing
from rainbow_assets.serving.compare import compare
from rainbow_assets.serving.lake import require_whole_build
from rainbow_assets.serving.publish import current, is_current, publish
from rainbow_assets.serving.tables import SERVED, Agreement, Publication
from rainbow_assets.speed.companion import LiveViews
from rainbow_assets.systems import clickhouse, postgres
from rainbow_assets.transform import audit, builds, open_checks

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
    can_subset=True,
)
def serving(
    context: dg.AssetExecutionContext, lake: Lake
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Publish what changed since the last publication, then compare ClickHouse with the lake.

    Whichever tables are asked for, the set is published whole. Checks alone compare what is there.
    """
    settings, run_id, live = lake.settings, context.run.run_id, LiveViews()
    url, selected = settings.secret("catalog_url"), context.selected_asset_keys
    with (
        told_failures(context),
        # No build runs meanwhile, and no other publication.
        postgres.lock(url, "RAINBOW_CATALOG_URL", "warehouse"),
        clickhouse.connect(settings) as client,
    ):
        # What differed is written, and compared, whole.
        anew = not selected or open_checks.is_open(lake.connection, SET, (EQUALS,), None)
        done = None
        if selected:
            builds.prepare(lake.connection)
            open_checks.require_none(lake.connection, settings)
            require_whole_build(lake.connection)
            audit.require(lake.connection)
            if not anew and built_nothing(context.run, lake.connection) and is_current(client, lake.connection, live):
                yield from _nothing_new(client, selected)
                return
            done = publish(settings, run_id, client, lake.connection, companion=live, full=anew)
        different = {
            difference.name: difference for difference in compare(settings, client, lake.connection, everything=anew)
        }
        wrong = f"ClickHouse differs from the lake in {', '.join(different)}" if different else None
        open_checks.settle(lake.connection, url, SET, {EQUALS: wrong}, None, run_id)
    if done:
        yield from _published(done, selected)
    for item in SERVED:
        if dg.AssetCheckKey(_key(item.name), EQUALS) in context.selected_asset_check_keys:
            found = different.get(item.name)
            yield dg.AssetCheckResult(
                asset_key=_key(item.name),
                check_name=EQUALS,
                passed=found is None,
                description=str(found) if found else None,
                metadata=dict(what_to_do(EQUALS)),
            )
    # Without a publication there is nothing that could agree.
    if done and dg.AssetCheckKey(_key(BY_DAY), AGREED) in context.selected_asset_check_keys:
        yield _agreement(done.agreement or Agreement(reason="The first publication."))


def _nothing_new(client: Client, selected: AbstractSet[dg.AssetKey]) -> Iterator[dg.MaterializeResult[None]]:
    """The publication that readers see is of the lake as it is: there is no other, and nothing to compare."""
    shown = current(client)
    for table in shown.tables if shown else ():
        if _key(table.name) in selected:
            metadata = {"dagster/row_count": table.rows, "publication": shown.id if shown else 0, NOTHING_NEW: True}
            yield dg.MaterializeResult(asset_key=_key(table.name), metadata=metadata)


def _published(done: Publication, selected: AbstractSet[dg.AssetKey]) -> Iterator[dg.MaterializeResult[None]]:
    views = {item.name: item.view for item in SERVED}
    for table in done.tables:
        if _key(table.name) in selected:
            yield dg.MaterializeResult(
                asset_key=_key(table.name),
                metadata={
                    "dagster/table_name": f"rainbow.{views[table.name]}",
                    "dagster/row_count": table.rows,
                    "publication": done.id,
                    "lake_snapshot": done.lake_snapshot,
                    "rows_written": table.rows_written,
                    "slices": f"{table.slices_written} of {table.slices} written",
                },
            )


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
