"""The shop's tables: external assets, as another system writes them."""

import dagster as dg

from rainbow_assets.defs.conventions import OWNERS, table_schema
from rainbow_assets.tables import TABLES

source_assets = [
    dg.AssetSpec(
        key=["source", table.name],
        group_name="source",
        kinds={"postgres"},
        owners=OWNERS,
        description=f"One row: {table.grain}, as the shop has it now. Read by `updated_at`.",
        metadata={
            "dagster/table_name": f"public.{table.name}",
            "dagster/column_schema": table_schema(table.columns),
        },
    )
    for table in TABLES.values()
]
