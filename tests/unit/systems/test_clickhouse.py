"""Connections to ClickHouse, its types, and what its errors may say."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from rainbow_assets.clickhouse_url import embedded as embedded_at
from rainbow_assets.errors import DataError, RainbowError, SettingsError, TransientError
from rainbow_assets.settings import PREFIX, Settings
from rainbow_assets.systems import clickhouse

HOLD = """
import sys, clickhouse_connect
client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


def make(url: str, **values: str) -> Settings:
    known = {"s3_access_key": "access", "s3_secret_key": "s3-secret-key", "s3_endpoint": "http://127.0.0.1:1"}
    return Settings.model_validate(known | values | {"clickhouse_url": url})


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def embedded(tmp_path: Path) -> Settings:
    return make(f"chdb://{tmp_path}/clickhouse")


@pytest.mark.parametrize(
    ("kind", "nullable", "expected"),
    [
        ("INTEGER", False, "Int32"),
        ("DECIMAL(18,2)", True, "Nullable(Decimal(18, 2))"),
        ("TIMESTAMP", False, "DateTime64(6, 'UTC')"),
        ("DATE", True, "Nullable(Date32)"),
    ],
)
def test_types(kind: str, nullable: bool, expected: str) -> None:
    assert clickhouse.column_type(kind, nullable) == expected


@pytest.mark.parametrize("kind", ["HUGEINT", "STRUCT(a INTEGER)", "INTEGER[]"])
def test_types_without_an_exact_equal_are_refused(kind: str) -> None:
    with pytest.raises(DataError, match="no exact type"):
        clickhouse.column_type(kind, nullable=False)


def test_files_are_listed_one_by_one() -> None:
    one = clickhouse.s3_files(make("chdb:///x"), ["a/1.parquet"], "`k` Int64")
    assert one == "s3('http://127.0.0.1:1/rainbow/a/1.parquet', 'access', 's3-secret-key', 'Parquet', '`k` Int64')"
    two = clickhouse.s3_files(make("chdb:///x"), ["a/1.parquet", "b'/2.parquet"], "k Int64")
    assert "rainbow/{a/1.parquet,b\\'/2.parquet}'" in two
    amazon = Settings.model_validate({"s3_access_key": "a", "s3_secret_key": "b", "s3_region": "eu-west-1"})
    assert "'https://rainbow.s3.eu-west-1.amazonaws.com/k'" in clickhouse.s3_files(amazon, ["k"], "k Int64")


def test_no_url_is_a_clear_error() -> None:
    with pytest.raises(SettingsError, match="RAINBOW_CLICKHOUSE_URL is not set"), clickhouse.connect(Settings()):
        pass


def test_an_embedded_database_opens_again_after_it_was_closed(embedded: Settings) -> None:
    with clickhouse.connect(embedded) as client:
        client.command("CREATE TABLE t (`a b` Int64) ENGINE = MergeTree ORDER BY tuple()")
        client.command("INSERT INTO t VALUES (7)")
        with clickhouse.connect(embedded) as other:
            assert other.query("SELECT currentDatabase(), sum(`a b`) FROM rainbow.t").result_rows == [("rainbow", 7)]
    with clickhouse.connect(embedded) as client:
        assert client.command("SELECT sum(`a b`) FROM t") == 7


def test_any_folder_can_hold_the_embedded_database(tmp_path: Path) -> None:
    place = tmp_path / "a #1 100%25 é" / "clickhouse"
    place.parent.mkdir()
    with clickhouse.connect(make(embedded_at(place))) as client:
        assert client.command("SELECT 1") == 1
    assert [path.name for path in tmp_path.iterdir()] == [place.parent.name]
    assert place.is_dir()


def test_the_threads_of_a_process_may_open_it_at_once(embedded: Settings) -> None:
    def ask(_turn: int) -> object:
        with clickhouse.connect(embedded) as client:
            return client.command("SELECT 1")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(64))) == [1] * 64


def test_a_database_in_use_says_by_whom_and_is_waited_for(embedded: Settings, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLD, str(tmp_path / "clickhouse")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "open\n"  # noqa: PT018
        with (
            pytest.raises(TransientError, match=f"in use by process {holder.pid}"),
            clickhouse.connect(embedded, wait=0.3),
        ):
            pass
        holder.communicate("end\n")
    with clickhouse.connect(embedded, wait=5) as client:
        assert client.command("SELECT 1") == 1


def test_an_unreachable_server_is_transient_and_shows_no_password() -> None:
    settings = make("clickhouse://shop:p%40ssw0rd@127.0.0.1:1/rainbow")
    with pytest.raises(TransientError) as caught, clickhouse.connect(settings):
        pass
    message = str(caught.value)
    assert "Connection refused" in message
    assert "127.0.0.1:1" in message
    assert "\n" not in message
    assert "ssw0rd" not in message


def test_an_error_of_the_engine_is_one_line_without_the_secret(embedded: Settings) -> None:
    source = clickhouse.s3_files(embedded, ["none.parquet"], "k Int64")
    for query in (f"SELECT count() FROMM {source}", f"SELECT missing FROM {source}", f"SELECT count() FROM {source}"):
        with (
            pytest.raises(RainbowError) as caught,
            clickhouse.connect(embedded) as client,
            clickhouse.errors(embedded, "a test"),
        ):
            client.raw_query(query, settings={"s3_retry_attempts": 1})
        message = str(caught.value)
        assert message.startswith("ClickHouse failed at a test: ")
        assert "s3-secret-key" not in message
        assert "\n" not in message
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (DatabaseError("Code: 516. DB::Exception: shop: Authentication failed", code=516), RainbowError, "password"),
        (DatabaseError("Code: 159. DB::Exception: Timeout exceeded", code=159), TransientError, "doctor"),
        (OperationalError("gone"), TransientError, "doctor"),
        (DatabaseError("Code: 499. DB::Exception: HTTP response code: 403", code=499), RainbowError, "S3_SECRET_KEY"),
        (DatabaseError("Code: 499. DB::Exception: HTTP response code: 500", code=499), TransientError, "doctor"),
        (DatabaseError("Code: 60. DB::Exception: Unknown table", code=60), RainbowError, "doctor"),
    ],
)
def test_failures_that_pass_are_told_from_those_that_do_not(error: Exception, kind: type, hint: str) -> None:
    with pytest.raises(RainbowError) as caught, clickhouse.errors(make("clickhouse://u:p@h/rainbow"), "a test"):
        raise error
    assert type(caught.value) is kind
    assert hint in caught.value.hint
