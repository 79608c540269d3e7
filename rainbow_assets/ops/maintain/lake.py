"""Maintenance of DuckLake: small files, old snapshots, and files that nothing refers to any more.

Here: what is due in the schemas that dbt and the project's records write. Not here: `raw`, whose files are landing
files: they are never merged, replaced or removed.
"""

from collections.abc import Iterator

import duckdb

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.landing.files import PREFIX
from rainbow_assets.ops.maintain.plan import GRACE, Plan, Step
from rainbow_assets.systems import ducklake, ducklake_books, postgres
from rainbow_assets.systems.ducklake import LAKE, literal

BUILT = ("staging", "warehouse", "marts")
SCHEMAS = (*BUILT, "ops")
MANY = 10  # small files of a partition: fewer are not worth a merge


def maintain_lake(plan: Plan) -> Iterator[Step]:
    """Rewrite, merge, expire, clean up; as `maintain.maintain`."""
    settings = plan.settings
    url, setting = settings.secret("catalog_url"), ducklake_books.SETTING
    with ducklake.connect(settings) as connection:
        plan.say("waiting for the build or the publication that is under way, if any")
        with postgres.lock(url, setting, "warehouse"):
            yield from _rewrite(plan, connection)
            yield from _merge(plan, connection)
            yield from _clean_up(plan, connection)


def _rewrite(plan: Plan, connection: duckdb.DuckDBPyConnection) -> Iterator[Step]:
    """Rewrite the files with deleted rows of the tables that have many: a merge leaves these out."""
    url = plan.settings.secret("catalog_url")
    for (schema, table), paths in ducklake_books.small_files(url, BUILT, MANY, worn=True).items():
        plan.say(f"rewriting the files of {schema}.{table}")
        if not plan.is_dry:
            with ducklake_books.wide_statistics(url, schema, table):
                _call(connection, "ducklake_rewrite_data_files", schema, table, ", delete_threshold => 0")
        yield Step(f"{LAKE}.{schema}.{table}", "files with deleted rows rewritten", paths)


def _merge(plan: Plan, connection: duckdb.DuckDBPyConnection) -> Iterator[Step]:
    """Merge the small files of the tables that have many."""
    many = ducklake_books.small_files(plan.settings.secret("catalog_url"), SCHEMAS, MANY, worn=False)
    for (schema, table), paths in many.items():
        plan.say(f"merging the files of {schema}.{table}")
        try:
            if not plan.is_dry:
                _call(connection, "ducklake_merge_adjacent_files", schema, table)
        except TransientError as error:  # records are written without the lock; the next time is soon enough
            plan.say(f"{schema}.{table} is left for the next time: {error}")
        else:
            yield Step(f"{LAKE}.{schema}.{table}", "small files merged", paths)


def _call(connection: duckdb.DuckDBPyConnection, function: str, schema: str, table: str, options: str = "") -> None:
    """One table's turn, in a snapshot of its own. The table is always named: otherwise it would be raw's turn too."""
    with ducklake.transaction(connection, f"maintain {schema}.{table}", "maintenance"):
        connection.execute(f"CALL {function}('{LAKE}', {literal(table)}, schema => {literal(schema)}{options})")


def _clean_up(plan: Plan, connection: duckdb.DuckDBPyConnection) -> Iterator[Step]:
    """Expire old snapshots, and delete the files that were replaced, or written by nobody, a while ago."""
    _require_safe(plan)
    plan.say("expiring snapshots and cleaning up")
    orphaned = plan.now - GRACE  # whatever is kept: a younger one may be of a transaction that is not committed yet
    for what, function, column, older_than in (
        ("snapshots expired", "ducklake_expire_snapshots", "snapshot_id::VARCHAR", plan.older_than),
        ("replaced files deleted", "ducklake_cleanup_old_files", "path", plan.unused_since),
        ("orphaned files deleted", "ducklake_delete_orphaned_files", "path", orphaned),
    ):
        query = f"SELECT {column} FROM {function}(?, older_than => ?, dry_run => ?) ORDER BY ALL"
        try:
            rows = connection.execute(query, [LAKE, older_than, plan.is_dry]).fetchall()
        except duckdb.Error as error:
            raise ducklake.broken_off(error) from None
        yield Step(LAKE, what, [name for (name,) in rows])
        _require_safe(plan)


def _require_safe(plan: Plan) -> None:
    """See that no landing file is among what DuckLake deletes.

    Raises:
        DataError: one is.
    """
    url, landing = plan.settings.secret("catalog_url"), f"s3://{plan.settings.s3_bucket}/{PREFIX}/"
    if doomed := ducklake_books.doomed(url, landing):
        raise DataError(f"DuckLake would delete {len(doomed)} landing files.", "Run `rainbow fsck --repair`.")
    if landing.startswith(path := ducklake_books.data_path(url)):
        raise DataError(f"DuckLake's data path {path} holds the landing files.", "It would delete them: move it.")
