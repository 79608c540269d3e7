"""What `rainbow sql` lets the engines run: one statement that reads the warehouse, and nothing beside it.

Each engine parses the query itself; what it would run is looked at. Here: that look, and how DuckDB is shut in. Not
here: connections and answers (`query.py`).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.systems.ducklake import literal

HINT = "Write one SELECT, SHOW or EXPLAIN."
EXPLAIN = re.compile(r"\s*EXPLAIN\s(?:\s*ANALYZE\s)?", re.IGNORECASE)
# Of DuckDB's table functions those that read the lake's bucket, the lake's catalog, or nothing. Others connect to
# another database, run SQL that is put together (`query`), remove snapshots and files, or show secrets.
LAKE_READERS = re.compile(
    r"""read_(parquet|csv|csv_auto|json|json_auto|json_objects|ndjson|ndjson_auto|text|blob) | glob | sniff_csv
    | parquet_(scan|metadata|schema|file_metadata|kv_metadata|bloom_probe) | range | generate_series | unnest | repeat
    | duckdb_(columns|constraints|databases|dependencies|extensions|functions|indexes|keywords|memory|schemas|sequences
        |settings|tables|temporary_files|types|views)
    | pragma_(table_info|database_size|storage_info|version|platform|user_agent) | json_each | json_tree
    | (ducklake_)?(snapshots|current_snapshot|last_committed_snapshot|table_info|list_files|options|settings
        |table_changes|table_insertions|table_deletions)""",
    re.VERBOSE,
)
FILE_READERS = re.compile(r"read_.* | glob | sniff_csv | parquet_.*", re.VERBOSE)
# ClickHouse's `readonly` refuses INSERT, DDL and the functions that read elsewhere, but not these.
QUOTED = re.compile(r"'(?:\\.|''|[^'\\])*'|`(?:\\.|``|[^`\\])*`|\"(?:\\.|\"\"|[^\"\\])*\"", re.DOTALL)
READS = re.compile(r"\(*(SELECT|WITH|SHOW|DESCRIBE|EXPLAIN|EXISTS)\b", re.IGNORECASE)
BEYOND = re.compile(r"\bINTO OUTFILE\b|\bfile *\(|^DESCRIBE TABLE [\w.]+ *\(", re.IGNORECASE)


def shut_in(connection: duckdb.DuckDBPyConnection, bucket: str) -> None:
    """From now on this connection opens files of `bucket` alone, and nothing makes it open others."""
    connection.execute(f"SET allowed_directories = [{literal(f's3://{bucket}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def check_lake(connection: duckdb.DuckDBPyConnection, query: str, bucket: str) -> None:
    """Look at what DuckDB would run.

    Raises:
        DataError: it is not one SELECT (or SHOW, or an EXPLAIN of one), or it asks a function that reads elsewhere, or
            for a file that is not plainly one of `bucket`.
        duckdb.Error: it cannot be parsed.
    """
    if len(connection.extract_statements(query)) != 1:
        raise DataError("`rainbow sql` runs one statement that reads.", HINT)
    explained = EXPLAIN.match(query)
    select = query[explained.end() :] if explained else query
    answer = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [select]).fetchone()
    tree = json.loads(answer[0]) if answer else {"error": True}
    if tree["error"] or len(tree["statements"]) != 1:
        raise DataError("`rainbow sql` runs one statement that reads.", HINT)
    for name, arguments in _sources(tree):
        if not LAKE_READERS.fullmatch(name):
            raise DataError(f"The lake refuses the query: {name}() reads elsewhere.", "Ask the lake's tables.")
        if FILE_READERS.fullmatch(name) and not all(_is_of(bucket, path) for path in _paths(arguments)):
            raise DataError(
                "The lake refuses the query: a file is not plainly one of its bucket.",
                f"Write it out, without a ? and without ..: 's3://{bucket}/…'.",
            )


def check_clickhouse(canonical: str) -> None:
    """Look at what ClickHouse would run: `canonical` is what its own `formatQuerySingleLine` made of the query.

    Raises:
        DataError: it is no statement that reads, or reads or writes a file.
    """
    bare = QUOTED.sub("x", canonical)
    if not READS.match(bare) or BEYOND.search(bare):
        raise DataError("`rainbow sql` runs one statement that reads, and no file.", HINT)


def _sources(node: Any) -> Iterator[tuple[str, list[Any]]]:  # noqa: ANN401 - JSON
    """The functions that a query reads from, however deep, with their arguments; a file as a table is one, too."""
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            function = node["function"]
            yield str(function.get("function_name", "")).lower(), function.get("children", [])
        elif node.get("type") == "BASE_TABLE" and "://" in node["table_name"]:
            yield "read_text", [{"class": "CONSTANT", "value": {"value": node["table_name"]}}]
        for part in node.values():
            yield from _sources(part)
    elif isinstance(node, list):
        for part in node:
            yield from _sources(part)


def _paths(arguments: list[Any]) -> Iterator[object]:
    """The files that a function's first argument names; None for what is not written out."""
    first = arguments[0] if arguments else {}
    listed = first.get("children", []) if first.get("function_name") == "list_value" else [first]
    for path in listed:
        yield path["value"]["value"] if path.get("class") == "CONSTANT" else None


def _is_of(bucket: str, path: object) -> bool:
    """Whether a path stays in the bucket and on its server: parameters behind a ? would name another one."""
    return (
        isinstance(path, str)
        and path.startswith(f"s3://{bucket}/")
        and "?" not in path
        and not {".", ".."} & set(path.split("/"))
    )
