"""raw -> staging -> warehouse -> marts: every dbt model is an asset, every dbt test a check.

The models follow what raw gained since the last whole build, whichever partitions that was, so they have no partitions.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from rainbow_assets.defs.conventions import table_schema, told_failures
from rainbow_assets.defs.resources import Lake
from rainbow_assets.defs.transform.project import LayerTranslator, dbt_cli, manifest
from rainbow_assets.systems import ducklake, postgres

BUILD = ["build", "--exclude-resource-type", "unit_test"]


@dbt_assets(
    manifest=manifest(),
    name="transform",
    dagster_dbt_translator=LayerTranslator(),
    pool="transform",
)
def dbt_models(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[Any]:
    """Build what the run selects; one build at a time, as two writers of one table would collide."""
    settings = lake.settings
    with (
        told_failures(context),
        postgres.lock(settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", "transform"),
        tempfile.TemporaryDirectory(prefix="rainbow-dbt-") as target,
    ):
        for event in dbt_cli().cli(BUILD, context=context, target_path=Path(target)).stream():
            yield _described(event, context, lake) if isinstance(event, dg.Output) else event


def _described(output: dg.Output[Any], context: dg.AssetExecutionContext, lake: Lake) -> dg.Output[Any]:
    """Add the table's name, columns and rows to what dbt tells of a model."""
    schema, table = context.asset_key_for_output(output.output_name).path
    return output.with_metadata(
        {
            **output.metadata,
            "dagster/table_name": f"{ducklake.LAKE}.{schema}.{table}",
            "dagster/column_schema": table_schema(ducklake.columns(lake.connection, schema, table)),
            "dagster/row_count": ducklake.row_count(lake.connection, schema, table),
        }
    )
