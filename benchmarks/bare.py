"""The batch layer as a person would write it by hand for one day: bare DuckDB and ClickHouse statements, one process.

`python -m benchmarks.bare FIRST LAST` on a lake with nothing in it: PostgreSQL -> Parquet on S3 for the ten tables ->
DuckLake tables (`sql/`: typed and de-duplicated staging, SCD2 dimensions, the facts joined by point in time, the seven
batch views) -> ClickHouse by INSERT … SELECT FROM s3(). The same rows are read, joined and written as in a run of
Rainbow, and the same tables result. It has no Dagster, no dbt, no checks, no Iceberg, no comparison with earlier
files, no bookkeeping for later runs, and no order of rows in the lake; a second run would fail. Its clock runs from
the first connection to the end, so it does not count the import of its libraries. It prints its seconds as JSON, in
all and by phase.
"""

import json
import sys
import time
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
from clickhouse_connect.driver.client import Client

from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.write import postgres_source, source_query
from rainbow_assets.serving.tables import SERVED
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse, ducklake
from rainbow_assets.systems.ducklake import literal
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

TRACKED = {
    "customer": "first_name, last_name, email",
    "product": "name, rating_average, review_count, sold_count, category, brand",
    "seller": "name, link, is_best_store",
    "promotion": "name, type, price_treatment, coupon_type, is_global, promo_begin, promo_end",
    "payment": "name, type",
}


def script(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (Path(__file__).with_name("sql") / f"{name}.sql").read_text(encoding="utf-8")


def land(lake: duckdb.DuckDBPyConnection, settings: Settings, days: Days) -> None:
    """PostgreSQL -> one Parquet file a table on S3."""
    lake.execute(postgres_source(settings.secret("source_url")))
    for table in TABLES.values():
        query = literal(source_query(table, Columns(table.columns), days))
        lake.execute(f"""
            COPY (SELECT *, greatest(updated_at::DATE, {literal(days.first)}::DATE) AS change_date
                FROM postgres_query('source', {query}))
            TO {literal(file_of(settings, table.name, days))} (FORMAT parquet, COMPRESSION zstd)""")


def register(lake: duckdb.DuckDBPyConnection, settings: Settings, days: Days) -> None:
    """The files as DuckLake tables, without a copy."""
    lake.execute("CREATE SCHEMA lake.raw")
    for table in TABLES.values():
        file = file_of(settings, table.name, days)
        lake.execute(f"CREATE TABLE lake.raw.{table.name} AS FROM read_parquet({literal(file)}) LIMIT 0")
        lake.execute(f"CALL ducklake_add_data_files('lake', {literal(table.name)}, {literal(file)}, schema => 'raw')")


def file_of(settings: Settings, table: str, days: Days) -> str:
    """Where a table's rows of these days are landed."""
    return f"s3://{settings.s3_bucket}/raw/{table}/{days}.parquet"


def transform(lake: duckdb.DuckDBPyConnection) -> None:
    """Staging, dimensions, facts and batch views, as DuckLake tables."""
    for schema in ("staging", "warehouse", "marts"):
        lake.execute(f"CREATE SCHEMA lake.{schema}")
    lake.execute(script("staging"))
    for entity, tracked in TRACKED.items():
        lake.execute(dimension(entity, tracked))
    lake.execute(script("facts"))
    lake.execute(script("marts"))


def dimension(entity: str, tracked: str) -> str:
    """The statements of one dimension."""
    is_product = entity == "product"
    return script("dimension").format(
        entity=entity,
        tracked=tracked,
        label="first_name" if entity == "customer" else "name",
        source=f"lake.staging.stg_{entity}s",
        target=f"lake.warehouse.dim_{entity}s",
        named=script("product_names") if is_product else "",
        merged="named" if is_product else "intervals",
        members="(-1, 'Unknown'), (0, 'No promotion')" if entity == "promotion" else "(-1, 'Unknown')",
    )


def serving_statements(lake: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[list[str], list[str]]:
    """The statements that make a table for each batch view and each table of the star, and those that fill them.

    The types are Rainbow's, and so is the order of the facts; the rows come from the lake's own files.
    """
    bucket, create, fill = f"s3://{settings.s3_bucket}/", [], []
    for served in SERVED:
        columns = lake.execute(f"DESCRIBE lake.{served.schema}.{served.name}").fetchall()
        structure = ", ".join(f"{n} {clickhouse.column_type(kind, null == 'YES')}" for n, kind, null, *_ in columns)
        files = lake.execute(
            "SELECT data_file FROM ducklake_list_files('lake', ?, schema => ?)", [served.name, served.schema]
        ).fetchall()
        keys = [name.removeprefix(bucket) for (name,) in files]
        order = f"ORDER BY {served.slice_by or 'tuple()'} SETTINGS allow_nullable_key = 1"
        create.append(f"CREATE TABLE {served.view} ({structure}) ENGINE = MergeTree {order}")
        fill.append(f"INSERT INTO {served.view} SELECT * FROM {clickhouse.s3_files(settings, keys, structure)}")
    return create, fill


def serve(lake: duckdb.DuckDBPyConnection, client: Client, settings: Settings) -> None:
    """Batch views and star into ClickHouse."""
    create, fill = serving_statements(lake, settings)
    for statement in create + fill:
        client.command(statement)


def main(first: date, last: date) -> dict[str, float]:
    """All of it; the seconds by phase, and `total`."""
    settings = Settings.load()
    days = Days(first, last, open_start=first == settings.start_date)
    marks = {"start": time.perf_counter()}
    with ducklake.connect(settings) as lake, clickhouse.connect(settings) as client:
        for name, phase in {
            "connect": lambda: None,
            "land": lambda: land(lake, settings, days),
            "register": lambda: register(lake, settings, days),
            "transform": lambda: transform(lake),
            "serve": lambda: serve(lake, client, settings),
        }.items():
            phase()
            marks[name] = time.perf_counter()
    times = list(marks.values())
    phases = dict(zip(list(marks)[1:], (end - begin for begin, end in pairwise(times)), strict=True))
    return {"total": times[-1] - times[0]} | phases


if __name__ == "__main__":
    print(json.dumps(main(date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2]))))
