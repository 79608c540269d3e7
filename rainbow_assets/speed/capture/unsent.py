"""Long texts that PostgreSQL did not log again, since they did not change: found where they were last.

Here: which values are missing, and what they are. Not here: what the records mean (`decode.py`), or the rows of before
(`sink.py`).
"""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from rainbow_assets.errors import IncompleteError
from rainbow_assets.systems.duckdb_engine import open_engine
from rainbow_assets.systems.ducklake import quote
from rainbow_assets.tables import SourceTable

# Debezium's word for such a value. No text of PostgreSQL has a NUL in it, so none can be taken for this.
MARKER = "unsent\0value"
UNSENT = "'unsent' || chr(0) || 'value'"  # in SQL, which cannot have a NUL in it either


def unsent(table: SourceTable, rows: pa.Table) -> list[str]:
    """The columns in which a value is missing."""
    texts = [name for name, kind in table.columns.items() if kind == "VARCHAR"]
    return [name for name in texts if pc.any(pc.equal(rows[name], pa.scalar(MARKER))).as_py()]


def fill(table: SourceTable, rows: pa.Table, columns: list[str], before: pa.Table, deleted: pa.Table) -> pa.Table:
    """The rows with those values: of the last change of the row that has it, else of its row in `before`.

    A row whose key changes comes as a delete and an insert at one place in the log; `deleted` has the keys and `lsn` of
    deletes that came before this batch.

    Raises:
        IncompleteError: a value was never read.
    """
    with open_engine(threads=2) as connection:
        for name, held in (("rows_now", rows), ("rows_before", before), ("rows_deleted", deleted)):
            connection.register(name, held)
        key = ", ".join(map(quote, table.key))
        former = ", ".join(f"coalesce(d.{quote(one)}, r.{quote(one)}) AS {_former(one)}" for one in table.key)
        lacking = " OR ".join(f"r.{quote(name)} = {UNSENT}" for name in columns)
        connection.execute(
            f"CREATE TABLE batch AS SELECT r.*, d.lsn IS NOT NULL AS is_moved, {former} "
            "FROM (SELECT row_number() OVER () AS number, * FROM rows_now) AS r "
            f"LEFT JOIN (SELECT lsn, {key} FROM rows_now WHERE is_deleted "
            f"UNION SELECT lsn, {key} FROM rows_deleted) AS d "
            f"ON d.lsn = r.lsn AND ({lacking})"
        )
        for name in columns:
            _fill_column(connection, table, name)
        names = ", ".join(map(quote, rows.column_names))
        return connection.execute(f"SELECT {names} FROM batch ORDER BY number").to_arrow_table().cast(rows.schema)


def _fill_column(connection: duckdb.DuckDBPyConnection, table: SourceTable, name: str) -> None:
    """Look back from each row that lacks the value; and on from there, where that row had another key before."""
    column = quote(name)
    same = " AND ".join(f"p.{quote(one)} = w.{_former(one)}" for one in table.key)
    held = " AND ".join(f"b.{quote(one)} = w.{_former(one)}" for one in table.key)
    former = ", ".join(map(_former, table.key))
    connection.execute(
        f"CREATE OR REPLACE TABLE wanted AS SELECT number, lsn, {former} FROM batch WHERE {column} = {UNSENT}"
    )
    while connection.execute("SELECT count(*) FROM wanted").fetchall() != [(0,)]:
        moved = ", ".join(f"p.{_former(one)}" for one in table.key)
        connection.execute(
            f"CREATE OR REPLACE TABLE found AS SELECT w.number, p.number AS place, p.lsn, {moved}, "
            f"CASE WHEN p.number IS NULL THEN b.{column} ELSE p.{column} END AS value "
            f"FROM wanted AS w ASOF LEFT JOIN ("
            f"SELECT * FROM batch WHERE NOT is_deleted AND (is_moved OR {column} IS DISTINCT FROM {UNSENT})) AS p "
            f"ON {same} AND w.lsn > p.lsn LEFT JOIN rows_before AS b ON {held}"
        )
        if connection.execute("SELECT count(*) FROM found WHERE place IS NULL AND value IS NULL").fetchall() != [(0,)]:
            raise IncompleteError(f"a long text of {table.name}.{name} was not read before it was left out of the log")
        connection.execute(
            f"CREATE OR REPLACE TABLE wanted AS SELECT number, lsn, {former} FROM found WHERE value = {UNSENT}"
        )
        connection.execute(
            f"UPDATE batch SET {column} = value FROM found WHERE batch.number = found.number "
            f"AND value IS DISTINCT FROM {UNSENT}"
        )


def _former(name: str) -> str:
    return quote(f"former {name}")
