"""landing -> raw: an asset a table, and the checks that guard it."""

from collections.abc import Iterator

import dagster as dg

from rainbow_assets import window
from rainbow_assets.defs.conventions import FRESH, OWNERS, table_schema, told_failures
from rainbow_assets.defs.partitions import DAILY, days_of
from rainbow_assets.defs.raw.checks import (
    DAILY_TABLES,
    agreement_result,
    check_specs,
    completeness_result,
    volume_results,
)
from rainbow_assets.defs.resources import Lake
from rainbow_assets.landing import drift, transactions
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.names import LINEAGE
from rainbow_assets.raw import compare, coverage, register, volume
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.tables import TABLES, SourceTable
from rainbow_assets.transform import open_checks
from rainbow_assets.transform.open_checks import AGREE, COMPLETE


def raw_asset(table: SourceTable) -> dg.AssetsDefinition:
    """The asset `raw/<table>`."""

    @dg.asset(
        key=["raw", table.name],
        deps=[["landing", table.name]],
        group_name="raw",
        kinds={"iceberg", "ducklake"},
        owners=OWNERS,
        description=f"One row: a version of {table.grain}. The landing files themselves, registered in Iceberg "
        "(`raw`) and DuckLake (`lake.raw`) without a copy: the immutable master data.",
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"raw_{table.name}",
        check_specs=check_specs(table),
        freshness_policy=FRESH,
    )
    def run(
        context: dg.AssetExecutionContext, lake: Lake
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        settings = lake.settings
        with told_failures(context):
            days = days_of(context, settings)
        earlier = window.look_back(days, settings.lookback_days, settings.start_date)
        scope = window.with_look_back(days, settings.lookback_days, settings.start_date)
        with (
            told_failures(context),
            postgres.lock(settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", f"raw.{table.name}"),
        ):
            connection, source = lake.connection, settings.secret("source_url")
            landed = landing_files.files(lake.s3, settings.s3_bucket, table.name, scope)
            asset, unchecked = f"raw/{table.name}", dict.fromkeys((COMPLETE, AGREE), open_checks.UNCHECKED)
            open_checks.prepare(connection)
            until_checked = open_checks.opening(asset, unchecked, days, context.run.run_id)
            done = register.register(
                connection, lake.iceberg, table, landed, scope, context.run.run_id, also=until_checked
            )
            of_days = [file.uri for file in landed if file.day in days]
            counts = ducklake.known_files(connection, register.SCHEMA, table.name, of_days)
            columns = register.known_columns(connection, table)
            there = drift.check(source, table, columns)
            found = transactions.look(source, days.end)  # before the comparison, which then sees all that had ended
            complete = {
                part: compare.source_in_raw(connection, source, table, there, part) for part in (days, earlier) if part
            }
            agreement = compare.catalogs_agree(connection, lake.iceberg, table, landed, scope)
            for part, looked in complete.items():
                if part == days or looked.passed:  # of the days before, a failure is a warning
                    reasons = {COMPLETE: looked.reason, AGREE: agreement.reason}
                    catalog_url = settings.secret("catalog_url")
                    open_checks.settle(connection, catalog_url, asset, reasons, part, context.run.run_id)
                settled = found.settled(part) if looked.passed and table.name in coverage.TABLES else None
                if settled and (done.ducklake or not coverage.is_noted(connection, table.name, settled)):
                    coverage.note(connection, table.name, settled, found.at, context.run.run_id)
            with ducklake.transaction(connection):  # for its failures
                daily = table.name in DAILY_TABLES
                volumes = volume.volumes(connection, table.name, days, settings) if daily else None
        yield dg.MaterializeResult(
            metadata={
                "dagster/table_name": f"{ducklake.LAKE}.{register.SCHEMA}.{table.name}",
                "dagster/column_schema": table_schema(columns | LINEAGE),
                "days": str(days),
                # Dagster stamps one value on every partition of a range: the count is a partition's only for one.
                **({"dagster/partition_row_count": sum(counts.values())} if days.first == days.last else {}),
                "rows": sum(counts.values()),
                "files": len(of_days),
                "files_new_in_iceberg": done.iceberg,
                "files_new_in_ducklake": done.ducklake,
                "new_columns": done.added_columns,
            }
        )
        yield completeness_result(complete[days], days, complete[earlier] if earlier else None, earlier)
        yield agreement_result(agreement, scope)
        if volumes:
            yield from volume_results(volumes)

    return run


raw_assets = [raw_asset(table) for table in TABLES.values()]
