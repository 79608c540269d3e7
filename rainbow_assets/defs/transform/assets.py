"""raw -> staging -> warehouse -> marts: every dbt model is an asset, every dbt test a check.

The models follow what raw gained since the last whole build, whichever partitions that was, so they have no partitions.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DbtCliInvocation, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from rainbow_assets import window
from rainbow_assets.defs.conventions import BUILT_ANEW, NOTHING_NEW, table_schema, told_failures, what_to_do
from rainbow_assets.defs.resources import Lake
from rainbow_assets.defs.transform.news import without_news
from rainbow_assets.defs.transform.project import LayerTranslator, build_nodes, dbt_cli, dbt_tests, manifest
from rainbow_assets.defs.transform.totals import RUN_ID
from rainbow_assets.systems import ducklake, object_store, scratch
from rainbow_assets.transform import builds, dbt_failures, repairs

BUILD, TEST = (["build", "--exclude-resource-type", "unit_test"], ["test", "--exclude-resource-type", "unit_test"])
SAMPLE = 5
FIRST_DAYS = 5
LAKE_FILES, FORSAKEN = "lake/", timedelta(hours=1)  # an upload that old has no writer any more


@dbt_assets(
    manifest=manifest(),
    name="transform",
    dagster_dbt_translator=LayerTranslator(),
    pool="transform",
)
def dbt_models(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[Any]:
    """Build what the run selects; dbt itself sees to it that one build runs at a time.

    Of the whole, only what has news: new rows in raw, or other code. Checks alone look at what the last build made.
    """
    os.environ[RUN_ID] = context.run.run_id  # dbt inherits it; a changed --vars would make it parse the whole project
    settings, selected = lake.settings, context.selected_asset_keys
    scratch.clear(settings)
    with told_failures(context), scratch.folder(settings, "dbt") as target:
        object_store.abort_uploads(lake.s3, settings.s3_bucket, LAKE_FILES, datetime.now(UTC) - FORSAKEN)
        # The context's own definition is no more than what is selected.
        idle = without_news(lake.connection) if selected == dbt_models.keys else []
        for table in [build_nodes()[node].table for node in idle]:
            if table:
                key = dg.AssetKey(table.split("."))
                yield dg.MaterializeResult(asset_key=key, metadata=_table(lake, key) | {NOTHING_NEW: True})
        if len(idle) == len(build_nodes()):
            return
        command = [*(BUILD if selected else TEST), *_excluded(idle)]
        build = dbt_cli().cli(command, context=context, target_path=target)
        anew: tuple[frozenset[str], str] | None = None  # asked while dbt is at work: it is gone once all is whole
        for event in _stream(build, target):
            if isinstance(event, dg.Output):
                anew = anew or builds.built_anew(lake.connection)
                yield _described(event, context, lake, anew)
            elif isinstance(event, dg.AssetCheckResult):
                yield _explained(event, target, lake)
            else:
                yield event
        if left_out := builds.left_out(lake.connection):
            context.log.warning(str(left_out))


def _excluded(nodes: list[str]) -> list[str]:
    return ["--exclude", " ".join(builds.names(nodes))] if nodes else []  # Dagster takes one value for a flag's all


def _stream(build: DbtCliInvocation, target: Path) -> Iterator[Any]:
    """dbt's events as Dagster's.

    Raises:
        TransientError: the catalog or the object store was away or busy.
        DataError: a model or a test failed.
    """
    try:
        yield from build.stream()
    except DagsterDbtCliRuntimeError as error:
        raise dbt_failures.failure(target, error.description or "") from None


def _described(
    output: dg.Output[Any], context: dg.AssetExecutionContext, lake: Lake, anew: tuple[frozenset[str], str]
) -> dg.Output[Any]:
    """Add to what dbt tells of a model its table, why it was built anew, and what was repaired of the facts."""
    key = context.asset_key_for_output(output.output_name)
    return output.with_metadata(
        {
            **output.metadata,
            **_table(lake, key),
            **({BUILT_ANEW: anew[1]} if key.path[1] in anew[0] else {}),
            **(_repairs(context, lake) if key.path == [repairs.SCHEMA, repairs.TABLE] else {}),
        }
    )


def _table(lake: Lake, key: dg.AssetKey) -> dict[str, Any]:
    schema, table = key.path
    return {
        "dagster/table_name": f"{ducklake.LAKE}.{schema}.{table}",
        "dagster/column_schema": table_schema(ducklake.columns(lake.connection, schema, table)),
        "dagster/row_count": ducklake.row_count(lake.connection, schema, table),
    }


def _explained(result: dg.AssetCheckResult, target: Path, lake: Lake) -> dg.AssetCheckResult:
    """Add to what dbt tells of a test where to read on, and, where it failed, some of the rows that it found."""
    test = dbt_tests()[str(result.metadata["unique_id"].value)]
    metadata: dict[str, Any] = {**result.metadata, **what_to_do(test.section)}
    if not result.passed:
        metadata["sample"] = dg.MetadataValue.json(_failing_rows(target, test.file, lake.connection))
    return dg.AssetCheckResult(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=metadata,
    )


def _failing_rows(target: Path, file: str, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Ask the test's compiled SQL once more; a test that could not run has no rows."""
    compiled = next((target / "compiled").rglob(file), None)
    if compiled is None:
        return []
    try:
        rows = connection.execute(
            f"SELECT t::VARCHAR FROM ({compiled.read_text(encoding='utf-8')}) AS t LIMIT {SAMPLE}"
        ).fetchall()
    except duckdb.Error as error:
        return [ducklake.one_line(error)]
    return [text for (text,) in rows]


def _repairs(context: dg.AssetExecutionContext, lake: Lake) -> dict[str, Any]:
    """How many facts were written, and how many of them stand on days that are not the run's own."""
    found = repairs.of_newest_build(lake.connection, window.of_tags(context.run.tags))
    if found is None:
        return {}
    first = ", ".join(f"{day}: {rows}" for day, rows in list(found.repaired.items())[:FIRST_DAYS])
    return {
        "rows_written": found.written,
        "rows_repaired": found.rows,
        "days_repaired": len(found.repaired),
        **({"first_days_repaired": first} if first else {}),
    }
