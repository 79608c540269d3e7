"""The manifest: which version of each slice belongs to which publication. One insert switches what readers see.

Here: the manifest (`publications`), the ledger of what the stores hold (`written`, entered before the rows are, so
that the rows of a publisher that died are known), and the removal of what is no longer read. Not here: the stores'
rows (`store.py`) and the views over them (`views.py`).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from rainbow_assets.errors import RainbowError
from rainbow_assets.serving.store import LONG
from rainbow_assets.serving.tables import Entry, Slice
from rainbow_assets.systems.clickhouse import literal, quote

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS publications (
        publication UInt64, name LowCardinality(String), store LowCardinality(String), slice Int64, version UInt64,
        rows UInt64, fingerprint String, table_uuid String, lake_snapshot Int64, lake_time Int64,
        run_id String, published_at DateTime64(6, 'UTC') DEFAULT now64(6)
    ) ENGINE = MergeTree PARTITION BY publication ORDER BY (publication, name, slice)
    """,
    """
    CREATE TABLE IF NOT EXISTS written (store LowCardinality(String), slice Int64, version UInt64, rows UInt64)
    ENGINE = MergeTree ORDER BY (store, version, slice)
    """,
)
COLUMNS: "list[pa.Field[Any]]" = [
    pa.field("name", pa.string()),
    pa.field("store", pa.string()),
    pa.field("slice", pa.int64()),
    pa.field("version", pa.uint64()),
    pa.field("rows", pa.uint64()),
    pa.field("fingerprint", pa.string()),
    pa.field("table_uuid", pa.string()),
    pa.field("lake_snapshot", pa.int64()),
    pa.field("lake_time", pa.int64()),
]
ENTRY = pa.schema(COLUMNS)
WRITTEN = pa.schema([ENTRY.field(name) for name in ("store", "slice", "version", "rows")])
AT_ONCE = {"async_insert": 0}
STAGED = "publications_staged"


def prepare(client: Client) -> None:
    """Create manifest and ledger where they are missing.

    Raises:
        RainbowError: the server cannot read several views from one state.
    """
    setting = "SELECT value FROM system.settings WHERE name = 'enable_shared_storage_snapshot_in_query'"
    if client.query(setting).result_rows != [("1",)]:
        raise RainbowError(
            "This ClickHouse lets one query mix two publications.",
            "It takes 25.6 or newer with enable_shared_storage_snapshot_in_query = 1 (the default from 25.11).",
        )
    for statement in TABLES:
        client.command(statement)


def stores(client: Client) -> dict[str, str]:
    """The store tables that exist, each with its sorting key (empty: not sliced)."""
    query = "SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase() AND name LIKE 'store_%'"
    return dict(_pairs(client, query))


def newest(client: Client) -> tuple[int, list[Entry]]:
    """The number of the current publication (0: none) and its entries."""
    rows = client.query(
        f"SELECT publication, {', '.join(ENTRY.names)} FROM publications "
        "WHERE publication = (SELECT max(publication) FROM publications)"
    ).result_rows
    return (rows[0][0] if rows else 0), [Entry(*row[1:]) for row in rows]


def next_number(client: Client, current: int) -> int:
    """A number that was never used and is greater than `current`."""
    number: int = client.query("SELECT generateSnowflakeID()").result_rows[0][0]
    return max(number, current + 1)


def announce(client: Client, version: int, slices: dict[str, Sequence[Slice]]) -> None:
    """Enter in the ledger what is about to be written to each store."""
    rows = [
        {"store": store, "slice": part.slice, "version": version, "rows": part.rows}
        for store, parts in slices.items()
        for part in parts
    ]
    if rows:
        client.insert_arrow("written", pa.Table.from_pylist(rows, WRITTEN), settings=AT_ONCE)


def stage(client: Client, publication: int, run_id: str, entries: Sequence[Entry]) -> None:
    """Enter the list where no reader looks: what goes with a publication is made before it is seen."""
    client.command(f"CREATE OR REPLACE TABLE {STAGED} AS publications")
    _insert(client, STAGED, publication, run_id, entries)


def switch(client: Client, publication: int, run_id: str, entries: Sequence[Entry]) -> None:
    """Publish: the whole list as one part, which appears at once or not at all."""
    _insert(client, "publications", publication, run_id, entries)


def _insert(client: Client, manifest: str, publication: int, run_id: str, entries: Sequence[Entry]) -> None:
    table = pa.Table.from_pylist([vars(entry) for entry in entries], ENTRY)
    table = table.append_column("publication", pa.array([publication] * len(table), pa.uint64()))
    table = table.append_column("run_id", pa.array([run_id] * len(table), pa.string()))
    client.insert_arrow(manifest, table.combine_chunks(), settings=AT_ONCE)


def sign(client: Client, code: str) -> None:
    """Note what code made the newest publication."""
    client.command(f"ALTER TABLE publications MODIFY COMMENT {literal(code)}")


def made_by(client: Client) -> str:
    """What code made the newest publication; "" where that is not known."""
    query = "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'publications'"
    rows = client.query(query).result_rows
    return str(rows[0][0]) if rows else ""


def remove_old(client: Client, publication: int, previous: int, retention: timedelta, current: set[str]) -> None:
    """Remove what no reader can ask for any more, and the stores that are neither `current` nor referred to.

    Kept are the publication before this one and all that were current within `retention`: a reader finds its
    publication first and the rows a moment later.
    """
    horizon = f"now64(6) - toIntervalMicrosecond({round(retention.total_seconds() * 1e6)})"
    query = f"SELECT max(publication) FROM publications WHERE publication <= {previous} AND published_at <= {horizon}"
    keep = client.query(query).result_rows[0][0]
    _remove_versions(client, publication, previous, keep)
    query = f"SELECT DISTINCT publication FROM publications WHERE publication < {keep}"
    for (number,) in client.query(query).result_rows:
        client.command(f"ALTER TABLE publications DROP PARTITION {number}")
    query = "SELECT store FROM written UNION DISTINCT SELECT store FROM publications"
    used = {row[0] for row in client.query(query).result_rows} | current
    for store in stores(client).keys() - used:
        client.command(f"DROP TABLE {quote(store)}")


def _remove_versions(client: Client, publication: int, previous: int, keep: int) -> None:
    """Remove the versions that no publication from `keep` on refers to; those of a running publisher are newer.

    A sliced store is rewritten only when a tenth of it is dead, or for a publisher that died: so the cost follows
    the change. The versions are listed, not queried: a removal that is interrupted goes on after a restart.
    """
    live = f"SELECT store, slice, version FROM publications WHERE publication >= {keep}"
    dead = client.query(
        f"SELECT store, groupArray((slice, version)), sum(rows), max(version) > {previous} FROM written "
        f"WHERE version <= {publication} AND (store, slice, version) NOT IN ({live}) GROUP BY store"
    ).result_rows
    held = dict(_pairs(client, "SELECT store, sum(rows) FROM written GROUP BY store"))
    keys = stores(client)
    for store, versions, rows, died in dead:
        key = keys.get(store)
        if key and not died and rows < held[store] / 10:
            continue
        listed = ", ".join(f"({part}, {version})" for part, version in versions)
        if key:
            client.command(f"DELETE FROM {quote(store)} WHERE ({key}) IN ({listed})", settings=LONG)
        elif key is not None:
            for version in sorted({version for _, version in versions}):
                client.command(f"ALTER TABLE {quote(store)} DROP PARTITION {version}")
        gone = f"store = {literal(store)} AND (slice, version) IN ({listed})"
        client.command(f"DELETE FROM written WHERE {gone}", settings=LONG)


def _pairs(client: Client, query: str) -> list[tuple[str, Any]]:
    return [(row[0], row[1]) for row in client.query(query).result_rows]
