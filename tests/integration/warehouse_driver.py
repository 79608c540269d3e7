"""What the warehouse tests share: rows into raw, dbt on them, and the tables as Python values.

Here: driving and reading. Not here: what is expected (`warehouse_reference.py`, and the tests by hand).
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.systems import ducklake
from rainbow_assets.tables import TABLES

Row = dict[str, Any]

ARROW = {
    "INTEGER": pa.int32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"), "DECIMAL(18,2)": pa.decimal128(18, 2), "DECIMAL(9,2)": pa.decimal128(9, 2),
}  # fmt: skip
ENTITIES = {"customers": "customer", "products": "product", "sellers": "seller", "promotions": "promotion",
            "payments": "payment"}  # fmt: skip
VIEWS = ("total_sales", "sales_by_day", "sales_by_day_of_week", "top_sellers", "top_products_by_category",
         "payment_methods", "customer_ranking")  # fmt: skip
TABLE_NAMES = (
    *(f"warehouse.dim_{name}" for name in (*ENTITIES, "dates")), "warehouse.fact_sales", *(f"marts.{v}" for v in VIEWS),
)  # fmt: skip


class Lakehouse:
    """A lake with the ten raw tables, and dbt on it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.project = PROJECT_DIR / "dbt_project"
        self.raw: dict[str, list[Row]] = {name: [] for name in TABLES}
        with ducklake.connect(settings) as lake:
            lake.execute("CREATE SCHEMA IF NOT EXISTS lake.raw")
            for table in TABLES.values():
                columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
                lake.execute(
                    f"CREATE TABLE lake.raw.{table.name} ({columns}, change_date DATE, extracted_at TIMESTAMP)"
                )
                lake.execute(f"ALTER TABLE lake.raw.{table.name} SET PARTITIONED BY (change_date)")

    def add(self, table: str, *rows: Row) -> None:
        """Insert rows of the source into raw; each has its `extracted_at`."""
        with ducklake.connect(self.settings) as lake:
            self._insert(lake, table, rows)

    def add_all(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Insert rows of several tables."""
        by_table: dict[str, list[Row]] = {}
        for table, row in rows:
            by_table.setdefault(table, []).append(row)
        with ducklake.connect(self.settings) as lake:
            for table, found in by_table.items():
                self._insert(lake, table, found)

    def _insert(self, lake: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Row]) -> None:
        full = [dict.fromkeys(TABLES[table].columns) | row for row in rows]
        self.raw[table].extend(full)
        kinds = TABLES[table].columns | {"extracted_at": "TIMESTAMP"}
        lake.register("new_rows", pa.Table.from_pylist(full, pa.schema([(n, ARROW[k]) for n, k in kinds.items()])))
        lake.execute(
            f"INSERT INTO lake.raw.{table} BY NAME "
            "SELECT *, coalesce(updated_at, created_at)::date AS change_date FROM new_rows"
        )

    def dbt(self, *arguments: str) -> bool:
        """Run dbt in this process; whether it succeeded."""
        DuckDBConnectionManager.close_all_connections()  # the settings may name another lake than last time
        places = ["--project-dir", str(self.project), "--profiles-dir", str(self.project)]
        places += ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        result = dbtRunner().invoke([*arguments, *places, "--quiet"])
        DuckDBConnectionManager.close_all_connections()
        return result.success

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the lake."""
        with ducklake.connect(self.settings) as lake:
            return lake.execute(query).fetchall()

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every table of warehouse and marts, sorted."""
        with ducklake.connect(self.settings) as lake:
            return {name: lake.execute(f"FROM lake.{name} ORDER BY ALL").fetchall() for name in TABLE_NAMES}

    def dimension(self, table: str) -> list[tuple[Any, ...]]:
        """A dimension without its surrogate key."""
        return self.rows(f"SELECT * EXCLUDE ({ENTITIES[table]}_key) FROM lake.warehouse.dim_{table}")

    def fact_rows(self) -> list[tuple[Any, ...]]:
        """The facts as `Warehouse.fact_rows` gives them: (id, valid_from) in the place of the five keys."""
        order = ("products", "sellers", "promotions", "customers", "payments")
        members = [f"({t}.{ENTITIES[t]}_id, {t}.valid_from)" for t in order]
        joins = [f"LEFT JOIN lake.warehouse.dim_{t} AS {t} USING ({ENTITIES[t]}_key)" for t in order]
        return self.rows(
            f"""SELECT order_transaction, facts.product_id, strptime(date_key::varchar, '%Y%m%d')::date,
                       {", ".join(members)}, sales_quantity, regular_unit_price, discount_unit_price, net_unit_price,
                       extended_sales_amount, extended_discount_amount
                FROM lake.warehouse.fact_sales AS facts {" ".join(joins)}"""
        )


def at(text: str) -> datetime:
    """A time from ISO text."""
    return datetime.fromisoformat(text)
