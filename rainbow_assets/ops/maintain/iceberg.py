"""Maintenance of Iceberg: old snapshots, and the metadata files that nothing refers to any more.

Here: what lies below a table's `metadata/`. Not here: data files: they are landing files, and stay.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from pyiceberg.table import Table

from rainbow_assets.ops.maintain.plan import Plan, Step
from rainbow_assets.raw.register import SCHEMA
from rainbow_assets.systems import iceberg, object_store, postgres
from rainbow_assets.tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def maintain_iceberg(plan: Plan) -> Iterator[Step]:
    """Expire and clean up, table by table, each under the lock of its writers; as `maintain.maintain`."""
    catalog, s3 = iceberg.connect(plan.settings), object_store.client(plan.settings)
    for name in TABLES:
        plan.say(f"Iceberg's {SCHEMA}.{name}")
        with postgres.lock(plan.settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", f"{SCHEMA}.{name}"):
            table = iceberg.find_table(catalog, SCHEMA, name)
            if table is not None:
                yield from _maintain_table(plan, s3, table, f"Iceberg {SCHEMA}.{name}")


def _maintain_table(plan: Plan, s3: "S3Client", table: Table, where: str) -> Iterator[Step]:
    old = iceberg.old_snapshots(table, plan.older_than)
    if not plan.is_dry:
        iceberg.complete_properties(table)
    if old and not plan.is_dry:
        iceberg.expire(table, old)
        table.refresh()
    yield Step(where, "snapshots expired", [str(number) for number in old])
    needed = iceberg.metadata_files(table, without=old)
    unneeded = _unneeded(plan, s3, f"{table.location()}/metadata/", needed, plan.unused_since)
    if not plan.is_dry:
        object_store.remove(s3, plan.settings.s3_bucket, unneeded)
    yield Step(where, "metadata files deleted", unneeded)


def _unneeded(plan: Plan, s3: "S3Client", folder: str, needed: set[str], before: datetime) -> list[str]:
    """Objects below `folder`, written before that time, that are not `needed`."""
    root = f"s3://{plan.settings.s3_bucket}/"
    found = object_store.objects(s3, plan.settings.s3_bucket, folder.removeprefix(root))
    return [entry["Key"] for entry in found if entry["LastModified"] < before and f"{root}{entry['Key']}" not in needed]
