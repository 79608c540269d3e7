"""ClickHouse's stores: one table a served table, with the rows of every version of every slice.

Here: their columns, their layout, how they are filled and what they hold. Not here: which version is read
(`manifest.py`), and what changed (`lake.py`).
"""

import hashlib
from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from rainbow_assets.errors import DataError
from rainbow_assets.serving.tables import LakeTable, Slice
from rainbow_assets.settings import Settings
from rainbow_assets.systems.clickhouse import column_type, quote, s3_files

# Lists of files and of slices make long statements.
LONG = {"max_query_size": 2**26}
# NULL where none may be is an error, never a default. An object store that is away is one within seconds, not minutes.
INSERT = LONG | {"insert_null_as_default": 0, "input_format_null_as_default": 0, "s3_retry_attempts": 8}


def columns_of(table: LakeTable) -> dict[str, str]:
    """The table's columns with their ClickHouse types; the slice is never NULL.

    Raises:
        DataError: a type has no equal.
    """
    types = {}
    for column in table.columns:
        try:
            types[column.name] = column_type(column.kind, column.nullable and column.name != table.served.slice_by)
        except DataError as error:
            raise DataError(f"{table.served.name}.{column.name}: {error.message}", error.hint) from None
    return types


def store_of(table: LakeTable) -> str:
    """The name of the store table: another one for every set of columns."""
    text = repr((columns_of(table), table.served.slice_by))
    return f"store_{table.served.name}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def create_store(client: Client, table: LakeTable) -> None:
    """Create the store where it is missing. Sliced ones are ordered by slice, the others fall apart by version."""
    columns = "".join(f"{quote(name)} {kind}, " for name, kind in columns_of(table).items())
    by = table.served.slice_by
    layout = f"ORDER BY ({quote(by)}, version)" if by else "PARTITION BY version ORDER BY tuple()"
    client.command(
        f"CREATE TABLE IF NOT EXISTS {quote(store_of(table))} ({columns}version UInt64) ENGINE = MergeTree {layout}"
    )


def fill(
    client: Client, settings: Settings, table: LakeTable, version: int, keys: Sequence[str], only: Sequence[int] | None
) -> None:
    """Write a version of the slices `only` (None: all) from these files of the bucket; without files, nothing."""
    if not keys:
        return
    columns = ", ".join(map(quote, columns_of(table)))
    structure = ", ".join(f"{quote(c.name)} {column_type(c.kind, c.nullable)}" for c in table.columns)
    condition = _only(table, only)
    client.command(
        f"INSERT INTO {quote(store_of(table))} ({columns}, version) SELECT {columns}, {version} "
        f"FROM {s3_files(settings, keys, structure)} WHERE {condition}",
        settings=INSERT,
    )


def read_slices(client: Client, table: LakeTable, version: int, only: Sequence[int] | None) -> list[Slice]:
    """What the store holds of a version: rows and money sums of each slice."""
    by = table.served.slice_by
    sums = "".join(f", coalesce(sum({quote(name)}), 0)" for name in table.money)
    rows = client.query(
        f"SELECT {f'toInt64({quote(by)})' if by else '0'} AS s, count(){sums} FROM {quote(store_of(table))} "
        f"WHERE version = {version} AND {_only(table, only)}{' GROUP BY s' if by else ''}",
        settings=LONG,
    ).result_rows
    return [Slice(row[0], row[1], tuple(row[2:])) for row in rows]


def _only(table: LakeTable, only: Sequence[int] | None) -> str:
    if only is None or table.served.slice_by is None:
        return "true"
    return f"{quote(table.served.slice_by)} IN ({', '.join(map(str, only))})"
