"""DuckDB, and the DuckLake catalog that it reads: connections and the catalog's own records.

Here: how a connection is made and what the catalog knows of its files. Not here: which files to register
(`pipeline/register.py`) and transformations (dbt).
"""

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.systems.object_store import duckdb_endpoint
from rainbow_assets.systems.postgres import parts

LAKE = "lake"
EXTENSIONS = ("httpfs", "postgres_scanner", "ducklake")


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
        "SET TimeZone = 'UTC'",
        "SET autoinstall_known_extensions = false",
        f"SET temp_directory = {literal(Path(tempfile.gettempdir()) / 'rainbow-duckdb')}",
        "SET pg_use_ctid_scan = false",  # the source is read by its index on updated_at, never by whole tables
        "SET ducklake_max_retry_count = 100",
        f"CREATE OR REPLACE SECRET rainbow_s3 (TYPE s3, {', '.join(f'{k} {literal(v)}' for k, v in s3.items())})",
    ]


def attach_statements(settings: Settings, read_only: bool = False) -> list[str]:
    """Attach the DuckLake catalog as `lake`."""
    options = ["DATA_INLINING_ROW_LIMIT 0"] + (["READ_ONLY"] if read_only else [])
    return [
        postgres_secret("rainbow_catalog", settings.secret("catalog_url")),
        # DATA_PATH stays clear of raw/: DuckLake removes files below it that it does not know.
        f"CREATE OR REPLACE SECRET rainbow_lake (TYPE ducklake, METADATA_PATH '', DATA_PATH "
        f"{literal(f's3://{settings.s3_bucket}/lake/')}, METADATA_PARAMETERS "
        "MAP {'TYPE': 'postgres', 'SECRET': 'rainbow_catalog'})",
        f"ATTACH IF NOT EXISTS 'ducklake:rainbow_lake' AS {LAKE} ({', '.join(options)})",
    ]


def postgres_secret(name: str, url: str) -> str:
    """The statement that keeps a PostgreSQL URL as a DuckDB secret."""
    fields = ", ".join(f"{key} {literal(value)}" for key, value in parts(url).items())
    return f"CREATE OR REPLACE SECRET {quote(name)} (TYPE postgres, {fields})"


@contextmanager
def connect(settings: Settings, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the lake attached as `lake`, closed at the end.

    Raises:
        TransientError: the catalog does not answer.
        SettingsError: a setting of the lake is missing.
    """
    connection = duckdb.connect()
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
    """The catalog's failure in one line, without the connection string."""
    reason = str(error).split("Unable to connect to Postgres", 1)[-1].strip().splitlines()[0]
    hint = "See `rainbow doctor`; `rainbow up` starts the embedded stack."
    return TransientError(f"The DuckLake catalog (RAINBOW_CATALOG_URL) does not answer: {reason[:200]}.", hint)
