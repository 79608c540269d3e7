"""DuckDB, and the DuckLake catalog that it reads: connections and the catalog's own records.

Here: how a connection is made and what the catalog knows of its files. Not here: which files to register
(`raw/register.py`) and transformations (dbt).
"""

import importlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import duckdb

from rainbow_assets.errors import DataError, RainbowError, TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import scratch
from rainbow_assets.systems.duckdb_engine import forget_environment, open_engine
from rainbow_assets.systems.object_store import duckdb_endpoint, refusal
from rainbow_assets.systems.postgres_errors import connection_error
from rainbow_assets.systems.postgres_session import parameters

LAKE = "lake"
EXTENSIONS = ("httpfs", "postgres_scanner", "ducklake")
PASSING = (duckdb.TransactionException, duckdb.IOException, duckdb.HTTPException, duckdb.ConnectionException)


def quote(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A quoted string literal, for statements that take no parameters."""
    return "'" + str(value).replace("'", "''") + "'"


def extension_file(name: str) -> Path:
    """The extension as its Python package ships it: nothing is downloaded or copied."""
    package = importlib.import_module(f"duckdb_extension_{name}")
    return Path(package.__path__[0]) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


def setup_statements(settings: Settings) -> list[str]:
    """What every DuckDB connection of this project runs first: extensions, UTC, and the S3 secret."""
    endpoint, use_ssl = duckdb_endpoint(settings.s3_endpoint)
    s3 = {
        "KEY_ID": settings.secret("s3_access_key"),
        "SECRET": settings.secret("s3_secret_key"),
        "REGION": settings.s3_region,
    }
    if endpoint:
        s3 |= {"ENDPOINT": endpoint, "URL_STYLE": "path", "USE_SSL": str(use_ssl).lower()}
    return [
        *(f"LOAD {literal(extension_file(name))}" for name in EXTENSIONS),
        *forget_environment(),
        "SET TimeZone = 'UTC'",
        # A folder for one connection alone: two that share one corrupt each other's rows.
        f"SET temp_directory = {literal(scratch.path(settings, 'duckdb'))}",
        "SET pg_use_ctid_scan = false",  # the source is read by its index on updated_at, never by whole tables
        "SET ducklake_max_retry_count = 100",
        f"CREATE OR REPLACE SECRET rainbow_s3 (TYPE s3, {', '.join(f'{k} {literal(v)}' for k, v in s3.items())})",
    ]


def attach_statements(settings: Settings, read_only: bool = False, snapshot: int | None = None) -> list[str]:
    """Attach the DuckLake catalog as `lake`; as it was at `snapshot`, or else as it is."""
    options = ["DATA_INLINING_ROW_LIMIT 0"] + (["READ_ONLY"] if read_only else [])
    options += [f"SNAPSHOT_VERSION {snapshot}"] if snapshot is not None else []
    return [
        postgres_secret("rainbow_catalog", settings.secret("catalog_url"), "RAINBOW_CATALOG_URL"),
        # DATA_PATH stays clear of raw/: DuckLake removes files below it that it does not know.
        f"CREATE OR REPLACE SECRET rainbow_lake (TYPE ducklake, METADATA_PATH '', DATA_PATH "
        f"{literal(f's3://{settings.s3_bucket}/lake/')}, METADATA_PARAMETERS "
        "MAP {'TYPE': 'postgres', 'SECRET': 'rainbow_catalog'})",
        f"ATTACH IF NOT EXISTS 'ducklake:rainbow_lake' AS {LAKE} ({', '.join(options)})",
    ]


def travel(connection: duckdb.DuckDBPyConnection, settings: Settings, snapshot: int) -> None:
    """Attach the lake anew, read-only, as it was at `snapshot`."""
    connection.execute(f"DETACH {LAKE}")
    for statement in attach_statements(settings, read_only=True, snapshot=snapshot):
        connection.execute(statement)


def postgres_secret(name: str, url: str, what: str) -> str:
    """The statement that keeps all that a PostgreSQL URL says, and what its session is given, as a DuckDB secret.

    Raises:
        SettingsError: the URL in the setting `what` is malformed.
    """
    fields = ", ".join(f"{key} {literal(value)}" for key, value in parameters(url, what).items())
    return f"CREATE OR REPLACE SECRET {quote(name)} (TYPE postgres, {fields})"


@contextmanager
def connect(settings: Settings, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the lake attached as `lake`, closed at the end.

    Raises:
        TransientError: the catalog does not answer.
        SettingsError: a setting of the lake is missing, or the catalog refuses it.
        DataError: `read_only`, and there is no lake yet.
    """
    connection = open_engine()
    try:
        for statement in setup_statements(settings):
            connection.execute(statement)
        try:
            for statement in attach_statements(settings, read_only):
                connection.execute(statement)
        except duckdb.Error as error:
            raise catalog_error(error) from None
        yield connection
    finally:
        connection.close()


def catalog_error(error: duckdb.Error) -> RainbowError:
    """Why the lake cannot be attached, in one line, without the connection string."""
    if "does not exist - and creating" in str(error):
        return DataError("There is no lake in RAINBOW_CATALOG_URL yet.", "The first `rainbow run` makes it.")
    if "Unable to connect to Postgres" in str(error):
        return connection_error(str(error), "RAINBOW_CATALOG_URL")
    kind = TransientError if isinstance(error, PASSING) else RainbowError
    return kind(f"The lake cannot be attached: {one_line(error)}.", "See `rainbow doctor`.")


@contextmanager
def store_errors() -> Iterator[None]:
    """Tell what the object store fails at, while DuckDB reads or writes there, from a fault of the statement.

    Raises:
        TransientError: the store does not answer.
        RainbowError: it refuses the credentials.
    """
    try:
        yield
    except duckdb.IOException as error:
        reason, status = one_line(error), getattr(error, "status_code", 0)
        if status in {401, 403}:
            raise refusal(str(error)) from None
        if status >= 500 or " error for HTTP " in reason:
            hint = "Check RAINBOW_S3_ENDPOINT; see `rainbow doctor`."
            raise TransientError(f"The object store does not answer: {reason}.", hint) from None
        raise


def columns(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    """A lake table's columns, name to type; {} where there is no such table."""
    try:
        rows = connection.execute(f"DESCRIBE {LAKE}.{quote(schema)}.{quote(table)}").fetchall()
    except duckdb.CatalogException:
        return {}
    return {name: kind for name, kind, *_ in rows}


def columns_named(connection: duckdb.DuckDBPyConnection, schema: str, table: str, names: Sequence[str]) -> list[str]:
    """The lake table's columns that have one of these lower-case names: asked of the catalog's tables."""
    query = f"""
        SELECT c.column_name FROM __ducklake_metadata_{LAKE}.ducklake_column AS c
        JOIN __ducklake_metadata_{LAKE}.ducklake_table AS t USING (table_id)
        JOIN __ducklake_metadata_{LAKE}.ducklake_schema AS s USING (schema_id)
        WHERE s.schema_name = ? AND t.table_name = ? AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL
            AND c.end_snapshot IS NULL AND lower(c.column_name) IN (SELECT unnest(?))"""
    return [name for (name,) in connection.execute(query, [schema, table, list(names)]).fetchall()]


def rename_column(connection: duckdb.DuckDBPyConnection, schema: str, table: str, name: str, new: str) -> None:
    """Rename a lake table's column; files that are registered under the old name are read as before."""
    with transaction(connection):
        connection.execute(
            f"ALTER TABLE {LAKE}.{quote(schema)}.{quote(table)} RENAME COLUMN {quote(name)} TO {quote(new)}"
        )


def ensure_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str, wanted: dict[str, str]) -> list[str]:
    """Create the table, partitioned by `change_date`, or add the columns that it lacks, in one transaction.

    Returns the names of added columns; none for a new table.
    """
    known = columns(connection, schema, table)
    missing = [name for name in wanted if name not in known]
    if not missing:
        return []
    name = f"{LAKE}.{quote(schema)}.{quote(table)}"
    if not known:
        _prepare_catalog(connection)
    with transaction(connection):
        if known:
            for column in missing:
                connection.execute(f"ALTER TABLE {name} ADD COLUMN {quote(column)} {wanted[column]}")
            return missing
        fields = ", ".join(f"{quote(column)} {kind}" for column, kind in wanted.items())
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {LAKE}.{quote(schema)}")
        connection.execute(f"CREATE TABLE {name} ({fields})")
        connection.execute(f"ALTER TABLE {name} SET PARTITIONED BY (change_date)")
        return []


def file_columns(connection: duckdb.DuckDBPyConnection, uris: list[str]) -> dict[str, str]:
    """The columns of Parquet files, name to type, taken together."""
    if not uris:
        return {}
    files = ", ".join(literal(uri) for uri in uris)
    rows = connection.execute(f"DESCRIBE FROM read_parquet([{files}], union_by_name = true)").fetchall()
    return {name: kind for name, kind, *_ in rows}


def known_files(connection: duckdb.DuckDBPyConnection, schema: str, table: str, uris: list[str]) -> dict[str, int]:
    """Which of `uris` the table has, and their row counts: asked of the catalog's tables, so history costs nothing."""
    query = f"""
        SELECT f.path, f.record_count FROM __ducklake_metadata_{LAKE}.ducklake_data_file AS f
        JOIN __ducklake_metadata_{LAKE}.ducklake_table AS t USING (table_id)
        JOIN __ducklake_metadata_{LAKE}.ducklake_schema AS s USING (schema_id)
        WHERE s.schema_name = ? AND t.table_name = ? AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL
            AND f.end_snapshot IS NULL AND f.path IN (SELECT unnest(?))"""
    return dict(connection.execute(query, [schema, table, uris]).fetchall()) if uris else {}


def reaching_back(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str, column: str, after: date, before: date
) -> list[str]:
    """The files of partitions behind the day `after` whose `column` has a time before `before`, by the catalog's books.

    The books have both as ISO text.

    Raises:
        TransientError: the catalog does not answer.
    """
    query = f"""
        SELECT f.path FROM ducklake_data_file AS f
        JOIN ducklake_table AS t USING (table_id)
        JOIN ducklake_schema AS s USING (schema_id)
        JOIN ducklake_file_partition_value AS p USING (data_file_id, table_id)
        JOIN ducklake_column AS c USING (table_id)
        JOIN ducklake_file_column_stats AS v USING (data_file_id, table_id, column_id)
        WHERE s.schema_name = {literal(schema)} AND t.table_name = {literal(table)}
            AND c.column_name = {literal(column)}
            AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL AND c.end_snapshot IS NULL AND f.end_snapshot IS NULL
            AND p.partition_value > {literal(after)} COLLATE "C" AND v.min_value < {literal(before)} COLLATE "C" """
    with transaction(connection):  # for its failures
        rows = connection.execute(f"FROM postgres_query('__ducklake_metadata_{LAKE}', {literal(query)})").fetchall()
    return [path for (path,) in rows]


def row_count(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """A lake table's rows, by the catalog's own books: no data file is read."""
    query = f"""
        WITH lake_table AS (
            SELECT t.table_id FROM __ducklake_metadata_{LAKE}.ducklake_table AS t
            JOIN __ducklake_metadata_{LAKE}.ducklake_schema AS s USING (schema_id)
            WHERE s.schema_name = ? AND t.table_name = ? AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL)
        SELECT
            (SELECT coalesce(sum(record_count), 0) FROM __ducklake_metadata_{LAKE}.ducklake_data_file
             WHERE table_id = (FROM lake_table) AND end_snapshot IS NULL)
            - (SELECT coalesce(sum(delete_count), 0) FROM __ducklake_metadata_{LAKE}.ducklake_delete_file
               WHERE table_id = (FROM lake_table) AND end_snapshot IS NULL)"""
    row = connection.execute(query, [schema, table]).fetchone()
    assert row is not None  # noqa: S101 - scalar subqueries have a row
    return int(row[0])


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the lake's newest snapshot."""
    row = connection.execute(f"SELECT id FROM ducklake_current_snapshot('{LAKE}')").fetchone()
    assert row is not None  # noqa: S101 - a lake has a snapshot
    return int(row[0])


def existed(connection: duckdb.DuckDBPyConnection, schema: str, table: str, snapshot: int) -> bool:
    """Whether the table of today, not one of its name before it, was there at `snapshot`."""
    query = f"""
        SELECT count(*) FROM __ducklake_metadata_{LAKE}.ducklake_table AS t
        JOIN __ducklake_metadata_{LAKE}.ducklake_schema AS s USING (schema_id)
        WHERE s.schema_name = ? AND t.table_name = ? AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL
            AND t.begin_snapshot <= ?"""
    return connection.execute(query, [schema, table, snapshot]).fetchone() == (1,)


def add_files(
    connection: duckdb.DuckDBPyConnection, schema: str, table: str, uris: list[str], run_id: str, also: str = ""
) -> None:
    """Register Parquet files as they are, in one snapshot that names the run. The caller knows them to be new.

    Columns that a file is too old to have are NULL. `also`: a statement that goes with it, in the same snapshot.
    """
    if not uris:
        return
    files = ", ".join(literal(uri) for uri in uris)
    with transaction(connection, f"register {schema}.{table}", run_id):
        connection.execute(f"""
            CALL ducklake_add_data_files('{LAKE}', {literal(table)}, [{files}],
                schema => {literal(schema)}, hive_partitioning => true, allow_missing => true)""")
        if also:
            connection.execute(also)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection, message: str = "", run_id: str = "") -> Iterator[None]:
    """One DuckLake snapshot; `message` and the run's id label it.

    Raises:
        TransientError: another writer was faster, or a system did not answer; nothing was written.
        DataError: the statement itself is wrong for the data.
    """
    connection.execute("BEGIN")
    try:
        yield
        if message:
            label = f"{literal(message)}, extra_info => {literal(json.dumps({'run_id': run_id}))}"
            connection.execute(f"CALL {LAKE}.set_commit_message('rainbow', {label})")
        connection.execute("COMMIT")
    except BaseException as error:
        with suppress(duckdb.TransactionException):  # a COMMIT that failed has rolled back already
            connection.execute("ROLLBACK")
        if isinstance(error, duckdb.Error):
            raise broken_off(error) from None
        raise


def broken_off(error: duckdb.Error) -> RainbowError:
    """Why the lake did not do what it was asked to, in one line: transient or permanent."""
    if getattr(error, "status_code", 0) in {401, 403}:
        return refusal(str(error))
    if isinstance(error, PASSING):
        return TransientError(f"A lake transaction broke off: {one_line(error)}.", "Run it again.")
    return DataError(f"A lake transaction failed: {one_line(error)}.")


def one_line(error: Exception) -> str:
    """The first line of an engine's message, without its statement."""
    return first_line(str(error))


def first_line(text: str) -> str:
    """The first line of a message."""
    return text.strip().splitlines()[0].rstrip(".")[:300]


# A file in which a column is NULL alone makes DuckLake forget that column's bounds over the whole table, and the next
# file sets them anew, too narrow: a filter then misses rows. Without them it goes by the bounds of each file.
# The update takes away those that are there already.
NO_BOUNDS = """
    DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('rainbow_no_bounds')); END $$;
    CREATE OR REPLACE FUNCTION rainbow_no_bounds() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.min_value := NULL; NEW.max_value := NULL; RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER rainbow_no_bounds BEFORE INSERT OR UPDATE ON ducklake_table_column_stats
        FOR EACH ROW EXECUTE FUNCTION rainbow_no_bounds();
    UPDATE ducklake_table_column_stats SET min_value = NULL WHERE min_value IS NOT NULL OR max_value IS NOT NULL"""


def ensure_catalog(connection: duckdb.DuckDBPyConnection) -> None:
    """See that the catalog, whoever made it and when, is as a new one is made."""
    query = "SELECT 1 AS found FROM pg_trigger WHERE tgname = ''rainbow_no_bounds'' AND NOT tgisinternal"
    if not connection.execute(f"FROM postgres_query('__ducklake_metadata_{LAKE}', '{query}')").fetchall():
        _prepare_catalog(connection)


def _prepare_catalog(connection: duckdb.DuckDBPyConnection) -> None:
    """What a new catalog needs: no inlined rows, an index that its planner misses, and no bounds of whole tables."""
    connection.execute(f"CALL {LAKE}.set_option('data_inlining_row_limit', 0)")
    connection.execute(f"""
        CALL postgres_execute('__ducklake_metadata_{LAKE}',
            'CREATE INDEX IF NOT EXISTS rainbow_column_stats ON ducklake_file_column_stats (table_id, column_id)')""")
    connection.execute(f"CALL postgres_execute('__ducklake_metadata_{LAKE}', {literal(NO_BOUNDS)})")
