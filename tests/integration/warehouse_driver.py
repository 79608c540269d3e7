"""What the warehouse tests share: rows into raw, dbt on them, and the tables as Python values.

Here: driving and reading. Not here: what is expected (`warehouse_reference.py`, and the tests by hand).
"""

from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from rainbow_assets.defs.transform.news import without_news
from rainbow_assets.defs.transform.project import DBT_DIR, build_nodes
from rainbow_assets.landing.names import LINEAGE
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake
from rainbow_assets.tables import TABLES
from rainbow_assets.transform import builds
from tests.integration.warehouse_reference import Warehouse

Row = dict[str, Any]

ARROW = {
    "INTEGER": pa.int32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"), "DECIMAL(18,2)": pa.decimal128(18, 2), "DECIMAL(9,2)": pa.decimal128(9, 2),
}  # fmt: skip
WHOLE = {"--full-refresh", "--exclude"}
ENTITIES = {"customers": "customer", "products": "product", "sellers": "seller", "promotions": "promotion",
            "payments": "payment"}  # fmt: skip
VIEWS = ("total_sales", "sales_by_day", "sales_by_day_of_week", "top_sellers", "top_products_by_category",
         "payment_methods", "customer_ranking")  # fmt: skip
TABLE_NAMES = (
    *(f"warehouse.dim_{name}" for name in (*ENTITIES, "dates")), "warehouse.fact_sales", *(f"marts.{v}" for v in VIEWS),
)  # fmt: skip


class Lakehouse:
    """A lake, and dbt on it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.project = DBT_DIR

    def create_raw(self) -> None:
        """Make the ten raw tables, empty."""
        with ducklake.connect(self.settings) as lake:
            for table in TABLES.values():
                ducklake.ensure_table(lake, "raw", table.name, table.columns | LINEAGE)

    def add(self, table: str, *rows: Row) -> None:
        """Insert rows of the source straight into raw; each has its `extracted_at`."""
        full = [dict.fromkeys(TABLES[table].columns) | row for row in rows]
        kinds = TABLES[table].columns | {"extracted_at": "TIMESTAMP"}
        with ducklake.connect(self.settings) as lake:
            lake.register("new_rows", pa.Table.from_pylist(full, pa.schema([(n, ARROW[k]) for n, k in kinds.items()])))
            lake.execute(
                f"INSERT INTO lake.raw.{table} BY NAME "
                "SELECT *, coalesce(updated_at, created_at)::date AS change_date FROM new_rows"
            )

    def dbt(self, *arguments: str) -> bool:
        """Run dbt in this process, without the tables that have no news, as a run does; whether it succeeded."""
        DuckDBConnectionManager.close_all_connections()  # the settings may name another lake than last time
        idle = [] if self.project != DBT_DIR or set(arguments) & WHOLE or arguments[0] == "test" else self.idle()
        if len(idle) == len(build_nodes()):
            return True
        if idle:
            arguments = (*arguments, "--exclude", *builds.names(idle))
        places = ["--project-dir", str(self.project), "--profiles-dir", str(self.project)]
        places += ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        result = dbtRunner(manifest=_manifest(self.project)).invoke([*arguments, *places, "--quiet"])
        DuckDBConnectionManager.close_all_connections()
        return result.success

    def idle(self) -> list[str]:
        """The nodes for which there is nothing to do."""
        with ducklake.connect(self.settings) as lake:
            return without_news(lake)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the lake."""
        with ducklake.connect(self.settings) as lake:
            return lake.execute(query).fetchall()

    def dimension(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a dimension."""
        return self.rows(f"FROM lake.warehouse.dim_{table}")

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

    def raw_rows(self) -> dict[str, list[Row]]:
        """What raw holds."""
        with ducklake.connect(self.settings) as lake:
            tables = {table: lake.execute(f"FROM lake.raw.{table}").to_arrow_table() for table in TABLES}
        return {name: table.to_pylist() for name, table in tables.items()}

    def differences(self, raw: dict[str, list[Row]]) -> list[str]:
        """Where a table of warehouse or marts is not what the contract says of `raw`: a line each."""
        warehouse, found = Warehouse(raw), []
        for name in ENTITIES:
            found += compare_rows(f"dim_{name}", self.dimension(name), warehouse.dimension(name))
        found += compare_rows("fact_sales", self.fact_rows(), warehouse.fact_rows())
        days = self.rows("SELECT date FROM lake.warehouse.dim_dates")
        found += compare_rows("dim_dates", days, [(day,) for day in warehouse.dates()])
        views = warehouse.views()
        for view in VIEWS:
            found += compare_rows(view, self.rows(f"FROM lake.marts.{view}"), views[view])
        return found


def compare_rows(table: str, rows: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> list[str]:
    """What a table has too many of, or lacks: a line each."""
    here, there = Counter(rows), Counter(expected)
    surplus = [f"{table} has {count} too many of {row}" for row, count in (here - there).items()]
    return surplus + [f"{table} lacks {count} of {row}" for row, count in (there - here).items()]


@cache
def _manifest(project: Path) -> Manifest:
    """The parsed project, once for all builds of this process."""
    with TemporaryDirectory() as target:
        places = ["--project-dir", str(project), "--profiles-dir", str(project)]
        places += ["--target-path", target, "--log-path", target]
        result = dbtRunner().invoke(["parse", *places, "--quiet"]).result
    assert isinstance(result, Manifest)
    return result


def at(text: str) -> datetime:
    """A time from ISO text."""
    return datetime.fromisoformat(text)
