"""The lake's side of a publication: what the served tables hold, what changed, and in which files.

Here: reads of DuckLake, all within one transaction and so of one snapshot. Not here: ClickHouse (`store.py`).
"""

from collections.abc import Sequence

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.serving.tables import Column, Entry, LakeTable, Served, Slice
from rainbow_assets.settings import Settings
from rainbow_assets.systems.ducklake import LAKE, columns, literal, quote
from rainbow_assets.transform import builds

METADATA = f"__ducklake_metadata_{LAKE}"
ROW_CHANGES = {"tables_inserted_into", "tables_deleted_from"}
COMPACTIONS = {"merge_adjacent", "rewrite_delete"}  # other files, the same rows
Touched = dict[str, dict[int, set[str]]]
"""How tables were touched: table id -> snapshot -> DuckLake's names of what it did."""


def newest_snapshot(lake: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The snapshot that this transaction reads, as (number, time in microseconds)."""
    query = "SELECT snapshot_id, epoch_us(snapshot_time) FROM ducklake_snapshots(?) ORDER BY snapshot_id DESC LIMIT 1"
    (newest,) = lake.execute(query, [LAKE]).fetchall()
    return newest[0], newest[1]


def require_whole_build(lake: duckdb.DuckDBPyConnection) -> None:
    """See that the last build of the warehouse came to its end: else its tables may be of different times.

    Raises:
        DataError: it failed, was killed, or built some of the models only.
    """
    if not columns(lake, "ops", builds.UNFINISHED) or not builds.is_unfinished(lake):
        return
    raise builds.left_out(lake) or DataError(
        "The warehouse is in the middle of a build: nothing was published.", "Run the job again."
    )


def describe(lake: duckdb.DuckDBPyConnection, served: Sequence[Served], snapshot: int) -> list[LakeTable]:
    """The served tables as the lake has them.

    Raises:
        DataError: one does not exist.
    """
    alive = "{0}.begin_snapshot <= $1 AND coalesce({0}.end_snapshot > $1, true)"
    rows = lake.execute(
        f"""
        SELECT s.schema_name, t.table_name, t.table_id, t.table_uuid::VARCHAR, max(c.begin_snapshot)
        FROM {METADATA}.ducklake_table t
        JOIN {METADATA}.ducklake_schema s USING (schema_id)
        JOIN {METADATA}.ducklake_column c USING (table_id)
        WHERE {alive.format("t")} AND {alive.format("s")} AND {alive.format("c")}
        GROUP BY ALL
        """,
        [snapshot],
    ).fetchall()
    known = {(schema, name): rest for schema, name, *rest in rows}
    tables = []
    for table in served:
        if (table.schema, table.name) not in known:
            raise DataError(f"{LAKE}.{table.schema}.{table.name} does not exist.", "Run the dbt models first.")
        described = lake.execute(f"DESCRIBE {path(table)}").fetchall()
        columns = tuple(Column(name, kind, nullable == "YES") for name, kind, nullable, *_ in described)
        number, uuid, changed = known[table.schema, table.name]
        tables.append(LakeTable(table, number, uuid, changed, columns))
    return tables


def touched(lake: duckdb.DuckDBPyConnection, since: Entry, snapshot: int) -> Touched | None:
    """Which tables (by id) the snapshots after that of `since` touched, and how.

    None if that cannot be known for sure: snapshots have expired, or the catalog has another past.
    """
    columns = "snapshot_id, epoch_us(snapshot_time), changes"
    query = f"SELECT {columns} FROM ducklake_snapshots(?) WHERE snapshot_id BETWEEN ? AND ?"
    rows = lake.execute(query, [LAKE, since.lake_snapshot, snapshot]).fetchall()
    times = {number: time for number, time, _ in rows}
    if len(rows) != snapshot - since.lake_snapshot + 1 or times[since.lake_snapshot] != since.lake_time:
        return None
    found: Touched = {}
    for number, _, changes in rows:
        for kind, ids in (changes or {}).items() if number > since.lake_snapshot else ():
            for table_id in ids:
                found.setdefault(table_id, {}).setdefault(number, set()).add(kind)
    return found


def has_changes(how: dict[int, set[str]]) -> bool:
    """Whether a table that was touched in these ways may hold other rows."""
    return any(kinds - COMPACTIONS for kinds in how.values())


def changed_slices(
    lake: duckdb.DuckDBPyConnection,
    table: LakeTable,
    entries: Sequence[Entry],
    touched: Touched | None,
) -> list[int] | None:
    """The slices that may differ from what `entries` show; None: any may.

    Only plain inserts and deletes are followed through the change feed, and only those after the last compaction, which
    itself changes no row: of what came before it, the feed loses deletes. After anything else (a re-created or altered
    table) every slice is a candidate.
    """
    if touched is None or not entries or entries[0].table_uuid != table.uuid:
        return None
    how = touched.get(str(table.id), {})
    changes = {number: kinds for number, kinds in how.items() if kinds - COMPACTIONS}
    if not changes:
        return []
    served = table.served
    if served.slice_by is None or any(kinds - ROW_CHANGES for kinds in changes.values()):
        return None
    first, last = min(changes), max(changes)
    if any(number > first for number in how.keys() - changes.keys()):
        return None
    feed = f"ducklake_table_changes({literal(LAKE)}, {literal(served.schema)}, {literal(served.name)}, ?, ?)"
    query = f"SELECT DISTINCT {quote(served.slice_by)}::BIGINT FROM {feed} ORDER BY 1"
    return [row[0] for row in lake.execute(query, [first, last]).fetchall()]


def read_slices(
    lake: duckdb.DuckDBPyConnection, table: LakeTable, only: Sequence[int] | None, money: bool = False
) -> list[Slice]:
    """Rows of the slices `only` (None: of all), with their money sums or their fingerprints; empty ones are missing.

    Raises:
        DataError: a row has no slice.
    """
    served = table.served
    columns = ", ".join(quote(column.name) for column in table.columns)
    key = f"{quote(served.slice_by)}::BIGINT" if served.slice_by else "0"
    fingerprint = "''" if served.slice_by or money else f"coalesce(sum(hash({columns})), 0)::VARCHAR"
    sums = "".join(f", coalesce(sum({quote(name)}), 0)" for name in table.money if money)
    grouping = " GROUP BY 1" if served.slice_by else ""
    query = f"SELECT {key}, count(*), {fingerprint}{sums} FROM {_rows(table, only)}{grouping}"
    rows = lake.execute(query).fetchall()
    if any(row[0] is None for row in rows):
        raise DataError(f"{LAKE}.{served.schema}.{served.name} has rows without {served.slice_by}.", "Mend its model.")
    return [Slice(key, count, tuple(totals), hashed) for key, count, hashed, *totals in rows]


def source_files(
    lake: duckdb.DuckDBPyConnection, settings: Settings, table: LakeTable, only: Sequence[int] | None, scratch: str
) -> list[str]:
    """Keys of Parquet files whose rows of these slices are exactly the lake's.

    Files that another reader would misread (deleted rows, an older schema, encryption) are not among them: DuckDB
    writes their rows of these slices once more, to the key `scratch`.
    """
    served, bucket = table.served, f"s3://{settings.s3_bucket}/"
    rows = lake.execute(
        f"""
        SELECT used.filename, used.oldest >= ? AND listed.delete_file IS NULL
            AND listed.data_file_encryption_key IS NULL AND starts_with(used.filename, ?) AS clean
        FROM (SELECT filename, min(snapshot_id) AS oldest FROM {_rows(table, only)} GROUP BY ALL) used
        JOIN ducklake_list_files(?, ?, schema => {literal(served.schema)}) listed ON listed.data_file = used.filename
        ORDER BY ALL
        """,
        [table.schema_snapshot, bucket, LAKE, served.name],
    ).fetchall()
    keys: list[str] = [name.removeprefix(bucket) for name, clean in rows if clean]
    if unclean := [literal(name) for name, clean in rows if not clean]:
        columns = ", ".join(quote(column.name) for column in table.columns)
        condition = f"{'AND' if only is not None else 'WHERE'} filename IN ({', '.join(unclean)})"
        lake.execute(
            f"COPY (SELECT {columns} FROM {_rows(table, only)} {condition}) "
            f"TO {literal(bucket + scratch)} (FORMAT parquet, COMPRESSION zstd)"
        )
        keys.append(scratch)
    return keys


def _rows(table: LakeTable, only: Sequence[int] | None) -> str:
    """The table, or its rows in the slices `only`, as it stands after FROM."""
    if only is None or table.served.slice_by is None:
        return path(table.served)
    return f"{path(table.served)} WHERE {quote(table.served.slice_by)} IN ({', '.join(map(str, only))})"


def path(served: Served) -> str:
    """The table's name in SQL."""
    return f"{LAKE}.{quote(served.schema)}.{quote(served.name)}"
