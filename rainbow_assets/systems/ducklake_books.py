"""DuckLake's books: what its catalog's tables record of data files, and their correction.

Here: statements on the catalog's own PostgreSQL tables, each correction in one transaction. They take registrations out
and never end them: DuckLake deletes the object of a file whose registration has ended. Not here: which are wrong
(`raw/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rainbow_assets.systems import postgres

SETTING = "RAINBOW_CATALOG_URL"


@dataclass(frozen=True)
class Registration:
    """One registration of a data file: its number, its path, and what the catalog believes of it."""

    id: int
    path: str
    rows: int
    size: int


def registrations(url: str, schema: str, table: str) -> list[Registration]:
    """Those of a lake table now, the oldest first: a path appears as often as it is registered."""
    query = """
        SELECT f.data_file_id, f.path, f.record_count - coalesce(sum(d.delete_count), 0)::bigint, f.file_size_bytes
        FROM ducklake_data_file AS f
        JOIN ducklake_table AS t USING (table_id)
        JOIN ducklake_schema AS s USING (schema_id)
        LEFT JOIN ducklake_delete_file AS d ON d.data_file_id = f.data_file_id AND d.end_snapshot IS NULL
        WHERE s.schema_name = %s AND t.table_name = %s AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL
            AND f.end_snapshot IS NULL
        GROUP BY f.data_file_id, f.path, f.record_count, f.file_size_bytes
        ORDER BY f.data_file_id"""
    return [Registration(*row) for row in postgres.fetch(url, SETTING, query, [schema, table])]


def deregister(url: str, ids: Sequence[int]) -> None:
    """Take registrations out of the books, as if they had never been; their objects stay."""
    with postgres.connect(url, SETTING) as connection:
        connection.execute(
            """UPDATE ducklake_table_stats AS stats SET record_count = stats.record_count - gone.rows,
                file_size_bytes = stats.file_size_bytes - gone.bytes
            FROM (SELECT table_id, sum(record_count) AS rows, sum(file_size_bytes) AS bytes FROM ducklake_data_file
                WHERE data_file_id = ANY(%s) AND end_snapshot IS NULL GROUP BY table_id) AS gone
            WHERE stats.table_id = gone.table_id""",
            [list(ids)],
        )
        for table in ("file_column_stats", "file_variant_stats", "file_partition_value", "data_file"):
            connection.execute(f"DELETE FROM ducklake_{table} WHERE data_file_id = ANY(%s)", [list(ids)])


def doomed(url: str, prefix: str) -> dict[int, str]:
    """Files below `prefix` that DuckLake will delete: registrations that have ended, or are scheduled; id to path."""
    query = """
        SELECT data_file_id, path FROM ducklake_data_file WHERE end_snapshot IS NOT NULL AND starts_with(path, %s)
        UNION SELECT data_file_id, path FROM ducklake_files_scheduled_for_deletion WHERE starts_with(path, %s)"""
    return dict(postgres.fetch(url, SETTING, query, [prefix, prefix]))


def spare(url: str, ids: Sequence[int]) -> None:
    """Take doomed files out of the books, so that nothing deletes them; older snapshots no longer show their rows."""
    ended = "SELECT data_file_id FROM ducklake_data_file WHERE data_file_id = ANY(%s) AND end_snapshot IS NOT NULL"
    deregister(url, [number for (number,) in postgres.fetch(url, SETTING, ended, [list(ids)])])
    with postgres.connect(url, SETTING) as connection:
        connection.execute(
            "DELETE FROM ducklake_files_scheduled_for_deletion WHERE data_file_id = ANY(%s)", [list(ids)]
        )


def small_files(url: str, schemas: Sequence[str], at_least: int, worn: bool) -> dict[tuple[str, str], list[str]]:
    """Files that could be fewer: (schema, table) to paths, of the partitions that have `at_least` so many.

    `worn`: those with deleted rows; otherwise those without.
    """
    query = """
        WITH file AS (
            SELECT s.schema_name, t.table_name, f.path, (
                SELECT array_agg(partition_value ORDER BY partition_key_index) FROM ducklake_file_partition_value AS p
                WHERE p.data_file_id = f.data_file_id) AS partition_values
            FROM ducklake_data_file AS f
            JOIN ducklake_table AS t USING (table_id)
            JOIN ducklake_schema AS s USING (schema_id)
            WHERE s.schema_name = ANY(%s) AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL
                AND f.end_snapshot IS NULL AND f.file_size_bytes < 100000000 AND %s = EXISTS (
                    SELECT FROM ducklake_delete_file AS d
                    WHERE d.data_file_id = f.data_file_id AND d.end_snapshot IS NULL)),
        many AS (
            SELECT schema_name, table_name, array_agg(path) AS paths FROM file
            GROUP BY schema_name, table_name, partition_values HAVING count(*) >= %s)
        SELECT schema_name, table_name, array_agg(path ORDER BY path) FROM many, unnest(paths) AS path
        GROUP BY schema_name, table_name ORDER BY schema_name, table_name"""
    rows = postgres.fetch(url, SETTING, query, [list(schemas), worn, at_least])
    return {(schema, table): paths for schema, table, paths in rows}


@contextmanager
def wide_statistics(url: str, schema: str, table: str) -> Iterator[None]:
    """Keep a table's column statistics as they are while its files are rewritten; nobody else writes to it meanwhile.

    A rewrite narrows them to the rows of now. DuckLake reads older versions by them too, and then says of a column
    that has lost its last NULL that it never had one.
    """
    with postgres.connect(url, SETTING) as connection:
        connection.execute(
            """CREATE TEMPORARY TABLE wide AS SELECT c.* FROM ducklake_table_column_stats AS c
            JOIN ducklake_table AS t USING (table_id) JOIN ducklake_schema AS s USING (schema_id)
            WHERE s.schema_name = %s AND t.table_name = %s AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL""",
            [schema, table],
        )
        connection.commit()
        yield
        connection.execute(
            """UPDATE ducklake_table_column_stats AS c SET contains_null = wide.contains_null,
                contains_nan = wide.contains_nan, min_value = wide.min_value, max_value = wide.max_value,
                extra_stats = wide.extra_stats
            FROM wide WHERE c.table_id = wide.table_id AND c.column_id = wide.column_id"""
        )


def data_path(url: str) -> str:
    """Where DuckLake writes, and removes what it does not know."""
    query = "SELECT value FROM ducklake_metadata WHERE key = 'data_path' AND scope IS NULL"
    return str(postgres.fetch(url, SETTING, query)[0][0])
