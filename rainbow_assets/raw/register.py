"""landing -> raw: the same files, in Iceberg and DuckLake, without a copy.

Here: which files a catalog lacks, and their registration, Iceberg first. Each step may be repeated: a run that broke
off is finished by the next. Not here: the catalogs' own interfaces (`systems/`).
"""

from dataclasses import dataclass
from datetime import timedelta

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.landing.names import LINEAGE, VIRTUAL
from rainbow_assets.systems import ducklake, iceberg
from rainbow_assets.tables import SourceTable
from rainbow_assets.window import Days

SCHEMA = "raw"


@dataclass(frozen=True)
class Registered:
    """How many files each catalog took in, and the columns that raw gained with them."""

    iceberg: int
    ducklake: int
    added_columns: list[str]


def register(
    connection: duckdb.DuckDBPyConnection,
    catalog: SqlCatalog,
    table: SourceTable,
    landed: list[LandingFile],
    days: Days,
    run_id: str,
    also: str = "",
) -> Registered:
    """Register the files of `landed` that a catalog does not have yet; create the table or add new columns first.

    `landed`: every file of `table` in `days`, as `landing.files` lists them. What is registered depends on them alone:
    the source may be away. `also`: a statement that DuckLake runs in the snapshot that registers new files.

    Raises:
        TransientError: a catalog or the object store does not answer.
    """
    _free_virtual_names(connection, catalog, table)
    uris = [file.uri for file in landed]
    expected = table.columns | LINEAGE
    ducklake.ensure_table(connection, SCHEMA, table.name, expected)
    known = ducklake.known_files(connection, SCHEMA, table.name, uris)
    new_ducklake = [uri for uri in uris if uri not in known]
    columns = expected | ducklake.file_columns(connection, new_ducklake)

    target = iceberg.ensure_table(catalog, SCHEMA, table.name, columns)
    held = iceberg.files(target, days.oldest, days.last) if uris else {}
    new_iceberg = [uri for uri in uris if uri not in held]
    iceberg.add_files(target, new_iceberg, run_id)

    added = ducklake.ensure_table(connection, SCHEMA, table.name, columns)
    ducklake.add_files(connection, SCHEMA, table.name, new_ducklake, run_id, also)
    return Registered(len(new_iceberg), len(new_ducklake), added)


def once_first(connection: duckdb.DuckDBPyConnection, table: SourceTable, days: Days) -> list[LandingFile]:
    """The files of days behind the first of `days` that hold rows of them: such a day was the first partition once.

    Raises:
        TransientError: the catalog does not answer.
    """
    before = days.last + timedelta(days=1)
    found = ducklake.reaching_back(connection, SCHEMA, table.name, "updated_at", days.first, before)
    files = (landing_files.parse(*uri.removeprefix("s3://").split("/", 1)) for uri in found)
    return [file for file in files if file]


def known_columns(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> dict[str, str]:
    """The source columns that raw has for `table`, name to lake type; {} before its first run."""
    columns = ducklake.columns(connection, SCHEMA, table.name)
    return {name: kind for name, kind in columns.items() if name not in LINEAGE}


def _free_virtual_names(connection: duckdb.DuckDBPyConnection, catalog: SqlCatalog, table: SourceTable) -> None:
    """Rename the columns of an older lake that hide DuckLake's virtual ones: no build saw what was new there."""
    for name in ducklake.columns_named(connection, SCHEMA, table.name, VIRTUAL):
        iceberg.rename_column(catalog, SCHEMA, table.name, name, f"source_{name}")
        ducklake.rename_column(connection, SCHEMA, table.name, name, f"source_{name}")
