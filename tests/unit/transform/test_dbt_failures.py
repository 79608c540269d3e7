"""What dbt leaves of a failure: the reason in one line, told apart by the class of the error."""

import json
from pathlib import Path

import duckdb
import pytest

from rainbow_assets.errors import DataError, TransientError
from rainbow_assets.transform.dbt_failures import failure

MODEL, TEST = "model.rainbow.fact_sales", "test.rainbow.holds_each_raw_version_stg_orders_id__orders.e7a87513c3"
AWAY = "IO Error: Could not establish connection error for HTTP HEAD to 'http://127.0.0.1:9/x'"
COMMIT = "TransactionContext Error: Failed to commit: Failed to commit DuckLake transaction."


def engine(statement: str) -> str:
    """What DuckDB says of a statement."""
    with pytest.raises(duckdb.Error) as caught:
        duckdb.execute(statement)
    return str(caught.value)


def results(folder: Path, *found: tuple[str, str, str | None]) -> Path:
    entries = [{"unique_id": node, "status": status, "message": message} for node, status, message in found]
    (folder / "run_results.json").write_text(json.dumps({"results": entries}))
    return folder


def in_model(text: str) -> str:
    """A failed model's message, as dbt writes it."""
    return f"Runtime Error in model fact_sales (models/warehouse/fact_sales.sql)\n  {text}"


@pytest.mark.parametrize(
    "text",
    [
        AWAY,
        COMMIT,
        "HTTP Error: HTTP GET error on 'http://127.0.0.1:9/rainbow/lake/x.parquet' (HTTP 503)",
        "TransactionContext Error: Failed to commit DuckLake transaction: server closed the connection",
        "IO Error: Unable to connect to Postgres at dbname=lake: connection refused",
        "Failed to query most recent snapshot: IO Error: server closed the connection unexpectedly",
    ],
)
def test_what_is_away_is_tried_again_wherever_it_stands(tmp_path: Path, text: str):
    found = (MODEL, "error", in_model(text)), ("model.rainbow.total_sales", "skipped", None)
    error = failure(results(tmp_path, *found), "38 of 39 ERROR creating sql table model")
    assert isinstance(error, TransientError)
    assert str(error).startswith("dbt broke off: model fact_sales: ")
    assert text.rpartition("Error: ")[2].rstrip(".")[:40] in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT no_such_column FROM (SELECT 1 AS a)", "Binder Error: Referenced column"),
        ("SELECT 'x'::INTEGER", "Conversion Error: Could not convert"),
        ("SELECT error('this IO Errors out')", "this IO Errors out"),
    ],
)
def test_a_fault_of_the_code_or_the_data_is_permanent_with_its_reason(tmp_path: Path, statement: str, reason: str):
    said = in_model(engine(statement))
    error = failure(results(tmp_path, (MODEL, "error", said)), "38 of 39 ERROR creating sql table model")
    assert isinstance(error, DataError)
    assert str(error).startswith("dbt failed: model fact_sales: ")
    assert reason in str(error)
    assert "ERROR creating" not in str(error)
    assert "\n" not in str(error)


def test_refused_credentials_are_permanent(tmp_path: Path):
    said = in_model("HTTP Error: HTTP GET error reading 's3://rainbow/lake/x' in region '' (HTTP 403 Forbidden)")
    assert isinstance(failure(results(tmp_path, (MODEL, "error", said)), ""), DataError)


def test_a_failed_test_is_named_and_permanent_beside_what_is_away(tmp_path: Path):
    failed = TEST, "fail", "Got 3 results, configured to fail if != 0"
    error = failure(results(tmp_path, (MODEL, "error", in_model(AWAY)), failed), "")
    assert isinstance(error, DataError)
    assert "holds_each_raw_version_stg_orders_id__orders: Got 3 results" in str(error)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Encountered an error:\nRuntime Error\n  TransientError: PostgreSQL (RAINBOW_CATALOG_URL) does not answer: x.",
         TransientError),
        ("Encountered an error:\nCompilation Error\n  'refs' is undefined", DataError),
        ("", DataError),
    ],
)  # fmt: skip
def test_where_dbt_came_to_no_results_what_it_said_tells(tmp_path: Path, said: str, kind: type[Exception]):
    error = failure(tmp_path, said)
    assert isinstance(error, kind)
    assert "does not answer: x" in str(error) or kind is DataError
