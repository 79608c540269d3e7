"""The Olist CSV files, read and checked: every fault is named by file, line and column.

Here: which files and columns there must be, and what is a fault. Not here: what the rows mean to the shop
(`sql/olist.sql`).
"""

import csv
import gzip
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import duckdb

from rainbow_assets.errors import DataError
from rainbow_assets.shop.schema import script

HINT = "Nothing was loaded; correct the file and try again."
MONEY = "DECIMAL(18,4)"  # finer than a cent, so that parts of a cent are seen and not rounded away


@dataclass(frozen=True)
class OlistFile:
    """One file: its name and the columns that are read, with DuckDB's types; `optional` ones may be empty."""

    name: str
    columns: dict[str, str]
    optional: dict[str, str] = field(default_factory=dict)


FILES: dict[str, OlistFile] = {
    "customers": OlistFile(
        "olist_customers_dataset", dict.fromkeys(("customer_id", "customer_unique_id", "customer_city"), "VARCHAR")
    ),
    "sellers": OlistFile("olist_sellers_dataset", {"seller_id": "VARCHAR"}),
    "products": OlistFile("olist_products_dataset", {"product_id": "VARCHAR"}, {"product_category_name": "VARCHAR"}),
    "translations": OlistFile(
        "product_category_name_translation",
        dict.fromkeys(("product_category_name", "product_category_name_english"), "VARCHAR"),
    ),
    "orders": OlistFile(
        "olist_orders_dataset",
        dict.fromkeys(("order_id", "customer_id", "order_status"), "VARCHAR")
        | {"order_purchase_timestamp": "TIMESTAMP"},
        dict.fromkeys(
            ("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"), "TIMESTAMP"
        ),
    ),
    "order_payments": OlistFile(
        "olist_order_payments_dataset",
        {"order_id": "VARCHAR", "payment_sequential": "INTEGER", "payment_type": "VARCHAR", "payment_value": MONEY},
    ),
    "order_items": OlistFile(
        "olist_order_items_dataset",
        {"order_id": "VARCHAR", "order_item_id": "INTEGER", "product_id": "VARCHAR", "seller_id": "VARCHAR"}
        | {"price": MONEY},
    ),
}


def read(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Read the files into DuckDB's schema `olist`, a table a file, with `line`; a header is line 1.

    Raises:
        DataError: a file or a column is missing, a file is no gzip or ends early, a row has the wrong number of
            fields, a value is missing or malformed, a key stands there twice, or a row refers to one that is unknown.
    """
    paths = {table: _find(folder, file.name) for table, file in FILES.items()}
    connection.execute("CREATE SCHEMA olist")
    for table, path in paths.items():
        _read_file(connection, table, path)
    if not connection.execute("SELECT count(*) FROM olist.orders").fetchall()[0][0]:
        raise DataError(f"{paths['orders'].name} holds no order.", HINT)
    connection.execute(script("olist_checks"))
    faults = connection.execute("FROM faults ORDER BY ALL").fetchall()
    if faults:
        table, line, column, reason = faults[0]
        _fail(paths[table], line, column, reason, len(faults))


def _find(folder: Path, name: str) -> Path:
    """The file, plain or compressed."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder.", "Name the folder that holds the Olist CSV files.")
    for path in (folder / f"{name}.csv", folder / f"{name}.csv.gz"):
        if path.is_file():
            return path
    raise DataError(f"{name}.csv (or .csv.gz) is missing in {folder}.", "Nothing was loaded; add the file.")


def _read_file(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    """One file into one table; DuckDB collects the rows that it cannot read, with the reason."""
    file = FILES[table]
    header = _header(path)
    types = file.columns | file.optional
    missing = [name for name in types if name not in header]
    if missing:
        _fail(path, 1, ", ".join(missing), "the column is missing", len(missing))
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        _fail(path, 1, twice[0], "the column stands there twice", len(twice))
    connection.read_csv(
        str(path),
        header=True,
        auto_detect=False,
        sep=",",
        quotechar='"',
        escapechar='"',
        columns={name: types.get(name, "VARCHAR") for name in header},
        store_rejects=True,
    ).project(duckdb.SQLExpression("row_number() OVER () + 1").alias("line"), *types).create(f"olist.{table}")
    rejected = "SELECT line, coalesce(column_name, 'after the last'), error_message FROM reject_errors ORDER BY ALL"
    faults = connection.execute(rejected).fetchall() or _missing_values(connection, table)
    if faults:
        line, column, reason = faults[0]
        _fail(path, line, column, reason, len(faults))


def _missing_values(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[int, str, str]]:
    """The lines and columns without a value that must have one, in order."""
    rows = connection.sql(f"FROM olist.{table}")
    missing = [
        (line, column, "the value is missing")
        for column in FILES[table].columns
        for (line,) in rows.filter(duckdb.ColumnExpression(column).isnull()).project("line").fetchall()
    ]
    return sorted(missing)


def _header(path: Path) -> list[str]:
    """The names in the first line, without a byte order mark; a compressed file must be whole, to its end."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            first = stream.readline().decode("utf-8-sig")
            while path.suffix == ".gz" and stream.read(1 << 20):
                pass
    except UnicodeDecodeError:
        _fail(path, 1, "all", "the text is not UTF-8", 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}.", HINT) from None
    return next(csv.reader([first]), [])


def _fail(path: Path, line: int, column: str, reason: str, faults: int) -> NoReturn:
    """The first fault of a file, and how many more there are."""
    more = f" ({faults - 1:,} more like it)" if faults > 1 else ""
    raise DataError(f"{path.name}, line {line}, column {column}: {reason.strip().rstrip('.')}{more}.", HINT)
