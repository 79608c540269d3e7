"""source -> landing: an asset a table. A run, of a day or a range, is one pass over the source."""

from collections.abc import Iterator

import dagster as dg

from rainbow_assets import window
from rainbow_assets.defs.conventions import FRESH, OWNERS, table_schema, told_failures, what_to_do
from rainbow_assets.defs.landing.checks import check_results, check_specs
from rainbow_assets.defs.partitions import DAILY, days_of
from rainbow_assets.defs.resources import Lake
from rainbow_assets.landing import arrival, drift, transactions, unplaced
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.names import LINEAGE
from rainbow_assets.landing.write import extract
from rainbow_assets.raw import compare
from rainbow_assets.raw.register import known_columns, once_first
from rainbow_assets.systems import ducklake, object_store, postgres
from rainbow_assets.tables import TABLES, SourceTable
from rainbow_assets.transform import open_checks
from rainbow_assets.transform.open_checks import WHOLE


def landing_asset(table: SourceTable) -> dg.AssetsDefinition:
    """The asset `landing/<table>`."""

    @dg.asset(
        key=["landing", table.name],
        deps=[["source", table.name]],
        group_name="landing",
        kinds={"parquet", "s3"},
        owners=OWNERS,
        description=f"One row: a version of {table.grain} that the source held, by the UTC day of `updated_at`. "
        "Append-only: a file once written never changes.",
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"landing_{table.name}",
        check_specs=check_specs(table),
        freshness_policy=FRESH,
    )
    def run(
        context: dg.AssetExecutionContext, lake: Lake
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        settings = lake.settings
        with told_failures(context):
            days = days_of(context, settings)
            source, bucket = settings.secret("source_url"), settings.s3_bucket
            scope = window.with_look_back(days, settings.lookback_days, settings.start_date)
            found = transactions.wait(source, days.end, lake.patience, context.log.warning)
        with (
            told_failures(context),
            postgres.lock(settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", f"landing.{table.name}"),
        ):
            connection = lake.connection
            object_store.abort_uploads(lake.s3, bucket, f"{landing_files.PREFIX}/{table.name}/")
            columns = drift.check(source, table, known_columns(connection, table))
            landed = landing_files.files(lake.s3, bucket, table.name, scope)
            older = once_first(connection, table, scope)
            done = extract(connection, source, table, columns, scope, landed, bucket, context.run.run_id, older)
            written, asset = done.files, f"landing/{table.name}"
            if open_checks.is_open(connection, asset, (WHOLE,), scope):  # what was broken is looked at again
                written = compare.stated_rows(connection, landed) | written
            broken = compare.broken_files(connection, written)
            lost = f"{len(broken)} files have not the rows that were written" if broken else None
            open_checks.settle(
                connection, settings.secret("catalog_url"), asset, {WHOLE: lost}, scope, context.run.run_id
            )
            with ducklake.transaction(connection):  # for its failures
                delay = arrival.delay(connection, table, done.files, days, settings)
                late = arrival.late(connection, table, landed, done.files, days)
            ahead, behind = arrival.ahead(source, table, settings), arrival.behind(source, table, settings)
            without_day = unplaced.note(connection, source, table, columns, context.run.run_id)
        yield dg.MaterializeResult(
            metadata={
                "dagster/uri": f"s3://{bucket}/{landing_files.PREFIX}/{table.name}/",
                "dagster/column_schema": table_schema(columns.all | LINEAGE),
                "days": str(days),
                "looked_back_to": str(scope.oldest) if scope != days else None,
                "late_rows": late.rows,
                "rows_read": done.rows_read,
                "rows_written": done.rows_written,
                "files_written": len(done.files),
                "new_columns": list(columns.added),
            }
        )
        yield dg.AssetCheckResult(
            check_name=WHOLE,
            passed=not broken,
            description="The object store lost data: see its log." if broken else None,
            # Once a run, not once a partition: the records of runs (ops/records.py) take the totals from here.
            metadata={
                "files": len(written),
                "broken": broken[:5],
                "rows_read": done.rows_read,
                "rows_written": done.rows_written,
                "data_min_date": str(min(file.day for file in done.files)) if done.files else None,
                "data_max_date": str(max(file.day for file in done.files)) if done.files else None,
                **what_to_do(WHOLE),
            },
        )
        yield from check_results(table, columns, done, delay, late, ahead, behind, found, without_day)

    return run


landing_assets = [landing_asset(table) for table in TABLES.values()]
