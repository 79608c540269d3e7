"""A table that grows day by day, on a catalog in SQLite and files on disk: what a scan has to open stays small."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from rainbow_assets.systems import iceberg

FIRST, DAYS = date(2026, 1, 1), 40
COLUMNS = {"id": "INTEGER", "change_date": "DATE"}


def write(folder: Path, day: date) -> str:
    file = folder / f"{day}.parquet"
    duckdb.execute(f"COPY (SELECT 1::INTEGER AS id, DATE '{day}' AS change_date) TO '{file}' (FORMAT parquet)")
    return f"file://{file}"


def test_manifests_of_many_days_are_merged_and_each_file_stays_once(tmp_path: Path) -> None:
    catalog = SqlCatalog("test", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse")
    table = iceberg.ensure_table(catalog, "raw", "orders", COLUMNS)
    with table.transaction() as transaction:  # a table from before
        transaction.remove_properties("commit.manifest-merge.enabled")
    added = []
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        if number == 1:
            iceberg.complete_properties(iceberg.ensure_table(catalog, "raw", "orders", COLUMNS))
        table = iceberg.ensure_table(catalog, "raw", "orders", COLUMNS)
        assert iceberg.files(table, day, day) == {}
        iceberg.add_files(table, [write(tmp_path, day)], "run")
        added.append(f"file://{tmp_path}/{day}.parquet")
    table = iceberg.ensure_table(catalog, "raw", "orders", COLUMNS)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(table.io)) < DAYS / 2
    assert sorted(file.file_path for file in iceberg.data_files(catalog, "raw", "orders")) == added
    assert iceberg.files(table, FIRST, FIRST) == {added[0]: 1}
    assert table.properties.items() >= iceberg.PROPERTIES.items()
