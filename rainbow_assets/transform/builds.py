"""What a build has to do: the snapshots of raw that are new to the tables, and the tables that they or new code touch.

Here: reading `ops.last_build` (the last whole build) and `ops.unfinished_builds` (those since that did not make all
whole). Not here: what code is (`model_code.py`); the writing of both records, which dbt does with the build itself
(`dbt_project/macros/build_window.sql`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.systems import ducklake
from rainbow_assets.systems.ducklake import LAKE
from rainbow_assets.transform.model_code import Node

NOTES = {"ops.coverage", "ops.unplaced_rows"}  # what models read beside raw: `reads` in their meta
WRITES = ("tables_inserted_into", "tables_deleted_from", "tables_altered")
SHOWN = 5
WHOLE = "last_build"
UNFINISHED = "unfinished_builds"
CHANGED = "its code has changed"
FULL = "a full refresh was asked for"
DISTRUSTED = "the last build was refused, raw lost rows, or it is not known what code made it"
COLUMNS = {
    WHOLE: {
        "build_id": "VARCHAR",
        "from_snapshot": "BIGINT",
        "to_snapshot": "BIGINT",
        "completed_at": "TIMESTAMP",
        "run_id": "VARCHAR",
        "code": "VARCHAR",
    },
    UNFINISHED: {
        "build_id": "VARCHAR",
        "begun_at": "TIMESTAMP",
        "to_snapshot": "BIGINT",
        "code": "VARCHAR",
        "anew": "VARCHAR[]",
        "why": "VARCHAR",
        "done": "VARCHAR[]",
        "left_out": "VARCHAR[]",
    },
}


@dataclass(frozen=True)
class Window:
    """The raw snapshots (begin, end] that are new to the tables, and the nodes that they touch.

    `is_listed`: whether DuckLake still knows the snapshot `begin`. `is_as_it_was`: whether nothing but the last whole
    build wrote the tables; what tests look at is then the window alone. `code`: each node's checksum. `anew`: the nodes
    whose code is not that of the last whole build, or that a build of other code has touched since; `why`: what is said
    of them, None at the first build. `touched`: all that is to be done. `done`: what earlier builds of this window and
    this code have done of it.
    """

    begin: int
    end: int
    is_listed: bool
    is_as_it_was: bool
    code: dict[str, str]
    anew: frozenset[str]
    why: str | None
    touched: frozenset[str]
    done: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """There is nothing to do."""
        return not self.touched


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the records, or the columns that they lack.

    Raises:
        TransientError: the lake does not answer.
    """
    known = {table: ducklake.columns(connection, "ops", table) for table in COLUMNS}
    if all(wanted.keys() <= known[table].keys() for table, wanted in COLUMNS.items()):
        return
    with ducklake.transaction(connection):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}.ops")
        for table, wanted in COLUMNS.items():
            fields = ", ".join(f"{name} {kind}" for name, kind in wanted.items())
            connection.execute(f"CREATE TABLE IF NOT EXISTS {LAKE}.ops.{table} ({fields})")
            for name, kind in wanted.items() if known[table] else ():
                connection.execute(f"ALTER TABLE {LAKE}.ops.{table} ADD COLUMN IF NOT EXISTS {name} {kind}")


def window(connection: duckdb.DuckDBPyConnection, nodes: Mapping[str, Node], full_refresh: bool = False) -> Window:
    """What a build has to do now; `full_refresh`: everything.

    Where a table is gone, or anything but a build wrote one since the last whole build, everything is looked at again.

    Raises:
        duckdb.Error: the lake does not answer.
    """
    whole = connection.execute(f"SELECT to_snapshot, code, snapshot_id FROM {LAKE}.ops.{WHOLE}").fetchone()
    known = whole if whole and whole[1] and not full_refresh else None
    if known and any(name.startswith("raw.") for name in _written(connection, known[0], ("tables_deleted_from",))):
        known = None  # what raw lost stands in the tables behind it
    begin, built, closed = (known[0], _map(known[1]), known[2]) if known else (-1, {}, -1)
    others = connection.execute(f"SELECT to_snapshot, code, coalesce(done, []) FROM {LAKE}.ops.{UNFINISHED}").fetchall()
    code = {node.id: node.code for node in nodes.values()}
    since = [built, *(_map(text) for _, text, _ in others)]
    anew = {name for name, checksum in code.items() if any(held.get(name) != checksum for held in since)}
    is_listed, end, changed = _changes(connection, begin)
    as_it_was = is_listed and not others and _as_it_was(connection, nodes, closed)
    alike = as_it_was or (is_listed and bool(others))
    touched = {node.id for node in nodes.values() if not alike or node.id in anew or changed & node.reads}
    done = {name for to, text, names in others if to == end and _map(text) == code for name in names}
    why = CHANGED if known else (FULL if full_refresh else DISTRUSTED if whole else None)
    return Window(
        begin,
        end,
        is_listed,
        as_it_was,
        code,
        frozenset(anew),
        why if anew else None,
        frozenset(touched),
        frozenset(done),
    )


def refuse(connection: duckdb.DuckDBPyConnection, build_id: str) -> None:
    """See that nothing is published, and that the next build makes everything anew. Call it within a transaction."""
    connection.execute(
        f"INSERT INTO {LAKE}.ops.{UNFINISHED} (build_id, begun_at) VALUES (?, now()::TIMESTAMP)", [build_id]
    )
    connection.execute(f"UPDATE {LAKE}.ops.{WHOLE} SET code = NULL")


def built_anew(connection: duckdb.DuckDBPyConnection) -> tuple[frozenset[str], str]:
    """Which models the newest build makes anew, and why; nothing of the first build of all."""
    query = f"SELECT anew, why FROM {LAKE}.ops.{UNFINISHED} ORDER BY begun_at DESC LIMIT 1"
    found = connection.execute(query).fetchone()
    return (frozenset(names(found[0] or ())), found[1]) if found and found[1] else (frozenset(), "")


def is_unfinished(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether builds since the last whole one did not make all whole."""
    return bool(connection.execute(f"SELECT 1 FROM {LAKE}.ops.{UNFINISHED} LIMIT 1").fetchall())


def run_of_last(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The run that made the last whole build; None where there is none, or not all has been whole since."""
    found = connection.execute(f"SELECT run_id FROM {LAKE}.ops.{WHOLE}").fetchone()
    return found[0] if found and not is_unfinished(connection) else None


def left_out(connection: duckdb.DuckDBPyConnection) -> DataError | None:
    """What is said where the newest build was one of a part, and left out what it should not."""
    query = f"SELECT left_out FROM {LAKE}.ops.{UNFINISHED} ORDER BY begun_at DESC LIMIT 1"
    found = connection.execute(query).fetchone()
    if not found or not found[0]:
        return None
    those = names(found[0])
    more = f" and {len(those) - SHOWN} more" if len(those) > SHOWN else ""
    return DataError(
        f"Nothing was published: the build left out what has to be built, too: {', '.join(those[:SHOWN])}{more}.",
        "Materialize these with their checks, or run batch_job.",
    )


def _changes(connection: duckdb.DuckDBPyConnection, begin: int) -> tuple[bool, int, frozenset[str]]:
    """Whether DuckLake knows the snapshot `begin`; the newest one that brought rows; the tables that gained rows since.

    Of a `begin` that it does not know, these are all that it knows of.
    """
    written = _written(connection, begin, ("tables_inserted_into", "tables_deleted_from"))
    rows = {name: at for name, at in written.items() if name.startswith("raw.") or name in NOTES}
    [(current, is_listed)] = connection.execute(
        f"SELECT max(snapshot_id), bool_or(snapshot_id = ?) FROM ducklake_snapshots('{LAKE}')", [begin]
    ).fetchall()
    return bool(is_listed), max(rows.values(), default=begin if is_listed else current), frozenset(rows)


def _as_it_was(connection: duckdb.DuckDBPyConnection, nodes: Mapping[str, Node], closed: int) -> bool:
    """Whether every model has its table, and none was written since the snapshot `closed`."""
    query = f"SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_catalog = '{LAKE}'"
    held = {name for (name,) in connection.execute(query).fetchall()}
    tables = {node.table for node in nodes.values() if node.table}
    return tables <= held and tables.isdisjoint(_written(connection, closed, WRITES))


def _written(connection: duckdb.DuckDBPyConnection, since: int, kinds: tuple[str, ...]) -> dict[str, int]:
    """The tables that were written in these ways after the snapshot `since`, and when last."""
    query = f"""
        WITH changed AS (
            SELECT snapshot_id, unnest(flatten([coalesce(changes[kind], []) FOR kind IN $2])) AS table_id
            FROM ducklake_snapshots('{LAKE}') WHERE snapshot_id > $1
        )
        SELECT s.schema_name || '.' || t.table_name, max(changed.snapshot_id)
        FROM changed
        JOIN __ducklake_metadata_{LAKE}.ducklake_table AS t ON t.table_id::VARCHAR = changed.table_id
        JOIN __ducklake_metadata_{LAKE}.ducklake_schema AS s USING (schema_id)
        GROUP BY ALL"""
    return dict(connection.execute(query, [since, list(kinds)]).fetchall())


def _map(text: str | None) -> dict[str, str]:
    return dict(json.loads(text)) if text else {}


def names(nodes: Iterable[str]) -> list[str]:
    """`model.rainbow.dim_dates` as people say it."""
    return sorted(node.split(".")[2] for node in nodes)
