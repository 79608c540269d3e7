"""The notebook, run as it is on a small lake: its three totals are those of the source, and nothing is stored in it."""

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from rainbow_assets.landing import drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.write import extract
from rainbow_assets.raw.register import known_columns, register
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.stack.environment import shell_environment
from rainbow_assets.systems import ducklake, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

pytestmark = pytest.mark.integration

NOTEBOOK = PROJECT_DIR / "notebooks" / "quickstart.ipynb"
DAYS = Days(date(2026, 3, 1), date(2026, 3, 3))


def ingest(settings: Settings) -> tuple[object, ...]:
    """Order details of three days in landing and raw; their number, pieces and worth in the source."""
    url, table = settings.secret("source_url"), TABLES["orderdetails"]
    create_schema(url)
    with postgres.connect(url, "test") as connection:
        connection.execute(
            "INSERT INTO orderdetails (id, product_id, quantity, price, created_at, updated_at) "
            "SELECT i, i % 7, 1 + i % 3, (i % 1000) / 100.0 + 5.01, t, t FROM (SELECT i, timestamp '2026-03-01' "
            "+ i * interval '17 minutes' AS t FROM generate_series(1, 200) AS i)"
        )
    store, bucket = object_store.client(settings), settings.s3_bucket
    with ducklake.connect(settings) as lake:
        columns = drift.check(url, table, known_columns(lake, table))
        extract(lake, url, table, columns, DAYS, landing_files.files(store, bucket, table.name, DAYS), bucket, "run-1")
        found = landing_files.files(store, bucket, table.name, DAYS)
        register(lake, iceberg.connect(settings), table, found, DAYS, "run-1")
    query = "SELECT count(*), sum(quantity), sum(quantity * price)::numeric(38, 2) FROM orderdetails"
    return postgres.fetch(url, "test", query)[0]


def keep_a_secret(home: Path, bucket: str) -> None:
    """A secret of the user's own for this very bucket, of a store where nobody listens."""
    with duckdb.connect(config={"secret_directory": str(home / ".duckdb" / "stored_secrets")}) as theirs:
        theirs.execute(f"LOAD {ducklake.literal(ducklake.extension_file('httpfs'))}")
        theirs.execute(
            "CREATE PERSISTENT SECRET theirs (TYPE s3, KEY_ID 'a', SECRET 'b', ENDPOINT '127.0.0.1:9', "
            f"URL_STYLE 'path', USE_SSL false, SCOPE 's3://{bucket}')"
        )


def test_the_three_totals_are_those_of_the_source(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    sold = ingest(fresh_settings)
    for name, value in shell_environment(fresh_settings).items():
        monkeypatch.setenv(name, value)
    keep_a_secret(fresh_settings.home / "user", fresh_settings.s3_bucket)
    monkeypatch.setenv("HOME", str(fresh_settings.home / "user"))
    # The kernel keeps its own files in the test's folder.
    monkeypatch.setenv("IPYTHONDIR", str(fresh_settings.home / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(fresh_settings.home / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = notebook.cells[-1].outputs[0]["data"]["text/plain"]
    total = f"({sold[0]}, {sold[1]}, Decimal('{sold[2]}'))"
    assert [shown.count(text) for text in ("(True,", "DuckDB", "pyiceberg", "Polars", total)] == [1, 1, 1, 1, 3]


def test_the_notebook_holds_no_output_and_nothing_of_a_machine() -> None:
    text = NOTEBOOK.read_text()
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * len(code)
    assert str(Path.home()) not in text
    assert "postgresql://" not in text.replace('"postgresql://", "postgresql+psycopg://"', "").replace(
        '\\"postgresql://\\", \\"postgresql+psycopg://\\"', ""
    )
    assert not any(word in text for word in ("127.0.0.1", "localhost", "/home/", "/root", "AKIA"))
