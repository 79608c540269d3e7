"""The doctor and `rainbow sql` on real parts: all well, then one part broken at a time."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rainbow_assets.errors import DataError, RainbowError, TransientError
from rainbow_assets.ops import doctor
from rainbow_assets.ops.query import ask
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.stack import credentials as stored
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.systems import clickhouse, ducklake, object_store, postgres

pytestmark = pytest.mark.integration
RAINBOW = Path(sys.executable).with_name("rainbow")


@pytest.fixture
def shop(fresh_settings: Settings) -> Settings:
    """A shop without rows."""
    create_schema(fresh_settings.secret("source_url"))
    return fresh_settings


@pytest.fixture
def lake(shop: Settings) -> Settings:
    """The shop, and a lake with one table."""
    with ducklake.connect(shop) as connection:
        connection.execute("CREATE SCHEMA lake.marts")
        connection.execute(
            "CREATE TABLE lake.marts.t AS SELECT 7 AS a, 1.5::DECIMAL(18,2) AS b, DATE '2026-01-02' AS c"
        )
    return shop


@pytest.fixture
def reader(stack: Settings, shop: Settings) -> Iterator[str]:
    """The shop's URL for a role that may read its tables, and nothing else."""
    _head, _, rest = shop.secret("source_url").rpartition("@")
    admin = f"postgresql://postgres:{stored.ensure(stack.home).postgres}@{rest}"
    with postgres.connect(admin, "test") as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reads'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        connection.execute(f"GRANT CONNECT ON DATABASE {rest.rpartition('/')[2]} TO reader".encode())
    yield f"postgresql://reader:reads@{rest}"
    with postgres.connect(admin, "test") as connection:
        connection.execute("DROP OWNED BY reader")
        connection.execute("DROP ROLE reader")


def broken() -> dict[str, str]:
    return {finding.part: finding.detail for finding in doctor.examine() if not finding.usable}


def elsewhere(url: str) -> str:
    """The same URL at a port where nobody listens."""
    before, _, database = url.rpartition("/")
    return f"{before.rpartition(':')[0]}:{free_ports(1)[0]}/{database}"


def wrong_password(url: str) -> str:
    password = urlsplit(url).password
    assert password
    return url.replace(password, "wrong")


def test_all_is_well(lake: Settings):
    assert broken() == {}
    done = subprocess.run([str(RAINBOW), "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("✓") == len(doctor.CHECKS) + 2  # and the settings, and the days


@pytest.mark.parametrize("spoil", [elsewhere, wrong_password], ids=["dead server", "wrong password"])
@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("source_url", "Source (PostgreSQL)"),
        ("catalog_url", "DuckLake catalog"),
        ("iceberg_catalog_url", "Iceberg catalog"),
        ("dagster_url", "Dagster storage"),
    ],
)
def test_a_database_that_fails(shop: Settings, field: str, part: str, spoil: Callable[[str], str]):
    shop.record(**{field: spoil(shop.secret(field))})
    found = broken()
    assert list(found) == [part]
    assert f"RAINBOW_{field.upper()}" in found[part]


def test_an_object_store_that_fails(shop: Settings):
    part = "Object store (S3)"
    shop.record(s3_bucket="never-made")
    assert "'never-made' does not exist" in broken()[part]
    shop.record(s3_bucket=shop.s3_bucket, s3_secret_key="wrong")
    assert "RAINBOW_S3_SECRET_KEY" in broken()[part]
    shop.record(s3_secret_key=shop.secret("s3_secret_key"), s3_endpoint=f"http://127.0.0.1:{free_ports(1)[0]}")
    assert "RAINBOW_S3_ENDPOINT" in broken()[part]


def test_the_doctor_leaves_no_object(shop: Settings):
    assert broken() == {}
    assert list(object_store.keys(object_store.client(shop), shop.s3_bucket, "doctor/")) == []


def test_a_source_that_is_incomplete(shop: Settings):
    url = shop.secret("source_url")
    with postgres.connect(url, "test") as connection:
        connection.execute("DROP INDEX orders_updated_at")
    assert "No index on updated_at: orders" in broken()["Source (PostgreSQL)"]
    with postgres.connect(url, "test") as connection:
        connection.execute("DROP TABLE orders")
    assert "orders" in broken()["Source (PostgreSQL)"]
    assert "rainbow seed" in broken()["Source (PostgreSQL)"]


def test_a_sequence_that_lies_behind(shop: Settings):
    url = shop.secret("source_url")
    with postgres.connect(url, "test") as connection:
        connection.execute("INSERT INTO orders (id) VALUES (7)")
    said = broken()["Source (PostgreSQL)"]
    assert said.startswith("The sequence of orders.id lies behind")
    with postgres.connect(url, "test") as connection:
        connection.execute(said[said.index("SELECT setval") :].encode())
    assert "Source (PostgreSQL)" not in broken()
    with postgres.connect(url, "test") as connection:
        assert connection.execute("INSERT INTO orders DEFAULT VALUES RETURNING id").fetchone() == (8,)


@pytest.mark.parametrize(("start", "is_behind"), [(7, True), (8, False), (100, False)])
def test_a_sequence_that_begins_anew_is_judged_by_its_next_id(shop: Settings, start: int, is_behind: bool):
    """No id was drawn since: the catalog has no last value."""
    with postgres.connect(shop.secret("source_url"), "test") as connection:
        connection.execute("INSERT INTO orders (id) VALUES (7)")
        connection.execute(f"ALTER SEQUENCE orders_id_seq RESTART WITH {start}".encode())
    assert ("lies behind" in broken().get("Source (PostgreSQL)", "")) == is_behind


def test_a_sequence_that_may_not_be_read_is_no_finding(shop: Settings, reader: str):
    """As for a role that was given SELECT on the tables: that is all that a run needs."""
    with postgres.connect(shop.secret("source_url"), "test") as connection:
        connection.execute("INSERT INTO orders (id) VALUES (7)")
    shop.record(source_url=reader)
    assert "Source (PostgreSQL)" not in broken()


def test_the_stack_speaks_english(shop: Settings):
    assert {finding.part: finding.detail for finding in doctor.examine()}[doctor.MESSAGES] == "in English (C)"


def test_clickhouse_in_use_is_well(shop: Settings):
    with clickhouse.connect(shop):
        done = subprocess.run([str(RAINBOW), "doctor"], capture_output=True, text=True, check=False)
    assert "✓ ClickHouse" in done.stdout
    assert "is in use by process" in done.stdout


def test_clickhouse_that_fails(shop: Settings):
    shop.record(clickhouse_url=f"clickhouse://u:p@127.0.0.1:{free_ports(1)[0]}/rainbow")
    assert list(broken()) == ["ClickHouse"]


ASKED = {
    "lake": "FROM marts.t",
    "source": "SELECT 7 AS a, 1.50 AS b, DATE '2026-01-02' AS c",
    "clickhouse": "SELECT 7 AS a, toDecimal64('1.50', 2) AS b, toDate32('2026-01-02') AS c",
}


def test_sql_as_json(lake: Settings):
    for engine, query in ASKED.items():
        command = [str(RAINBOW), "sql", "--engine", engine, "--format", "json", query]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == "", engine
        assert json.loads(done.stdout) == [{"a": 7, "b": "1.50", "c": "2026-01-02"}], engine


def test_a_query_that_fails_prints_nothing_but_why(lake: Settings):
    def asked(query: str, form: str) -> str:
        command = [str(RAINBOW), "sql", "--format", form, query]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    for form in ("json", "csv"):
        assert "Correct it" in asked("SELECT CAST(concat('x', a) AS INT) FROM marts.t", form)
    lake.record(s3_secret_key="wrong")
    assert "RAINBOW_S3_SECRET_KEY" in asked("FROM marts.t", "json")
    lake.record(s3_secret_key=lake.secret("s3_secret_key"), s3_endpoint=f"http://127.0.0.1:{free_ports(1)[0]}")
    said = asked("FROM marts.t", "json")
    assert "The object store does not answer" in said
    assert "RAINBOW_S3_ENDPOINT" in said
    with pytest.raises(TransientError), ask(Settings.load(), "lake", "FROM marts.t"):
        pass


REFUSED = {
    "lake": (
        "SELEC 1",
        "CREATE TABLE marts.x AS SELECT 1",
        "COPY (SELECT 1 AS a) TO 's3://{bucket}/raw/x.parquet'",
        "SELECT 1; SELECT 2",
    ),
    "source": ("SELECT nothing FROM nowhere", "DELETE FROM orders", "COMMIT; CREATE TABLE x (a int)"),
    "clickhouse": ("SELEC 1", "CREATE TABLE x (a Int8) ENGINE = Memory"),
}


@pytest.mark.parametrize("engine", REFUSED)
def test_sql_only_reads(lake: Settings, engine: str):
    store = object_store.client(lake)
    before = list(object_store.keys(store, lake.s3_bucket, ""))
    for query in REFUSED[engine]:
        with pytest.raises(RainbowError) as caught, ask(lake, engine, query.format(bucket=lake.s3_bucket)) as answer:
            list(answer.batches)
        assert "\n" not in str(caught.value), query
        assert isinstance(caught.value, DataError) or engine == "clickhouse", query
    assert list(object_store.keys(store, lake.s3_bucket, "")) == before


def test_sql_reads_many_rows(shop: Settings):
    with ask(shop, "source", "SELECT * FROM generate_series(1, 5000) AS g (n)") as answer:
        assert [row for batch in answer.batches for row in batch] == [(number,) for number in range(1, 5001)]


# Beside the warehouse: files of this machine, other systems, secrets; `{folder}` holds one.
ELSEWHERE = {
    "lake": (
        "FROM read_text('{folder}/secret')",
        "FROM glob('{folder}/*')",
        "FROM read_text('/proc/self/environ')",
        "FROM read_text('s3://elsewhere/secret')",
        "FROM read_text('http://127.0.0.1:{port}/')",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 's3://{bucket}/raw/planted'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/planted'",
        "FROM postgres_query('__ducklake_metadata_lake', 'DELETE FROM ducklake_snapshot RETURNING 1')",
        "FROM postgres_scan('postgresql://127.0.0.1:{port}/x', 'public', 'orders')",
        "FROM duckdb_secrets()",
        "FROM ducklake_expire_snapshots('lake', older_than => now())",
    ),
    "source": (
        "SELECT pg_read_file('/etc/hostname')",
        "COPY (SELECT 1) TO PROGRAM 'cat > {folder}/planted'",
        "COPY (SELECT 1) TO '{folder}/planted'",
        "SELECT pg_ls_dir('/')",
        "SELECT set_config('transaction_read_only', 'off', true)",
    ),
    "clickhouse": (
        "SELECT file('{folder}/secret')",
        "SELECT * FROM file('{folder}/secret', 'RawBLOB')",
        "DESCRIBE file('{folder}/secret', 'CSVWithNames')",
        "SELECT 1 INTO /* x */ OUTFILE '{folder}/planted'",
        "SELECT * FROM url('http://127.0.0.1:{port}/', 'CSV')",
        "SYSTEM STOP MERGES",
    ),
}


@pytest.mark.parametrize(
    ("engine", "user"), [*((engine, "its own") for engine in ELSEWHERE), ("source", "a superuser")]
)
def test_sql_reads_the_warehouse_and_nothing_else(
    stack: Settings, lake: Settings, tmp_path: Path, engine: str, user: str
):
    if user == "a superuser":
        password = stored.ensure(stack.home).postgres
        _head, _, rest = lake.secret("source_url").rpartition("@")
        lake.record(source_url=f"postgresql://postgres:{password}@{rest}")
    (tmp_path / "secret").write_text("hush\n1\n")
    place = {"folder": tmp_path, "port": free_ports(1)[0], "bucket": lake.s3_bucket}
    store = object_store.client(lake)
    before = list(object_store.keys(store, lake.s3_bucket, ""))
    for query in ELSEWHERE[engine]:
        with pytest.raises(RainbowError) as caught, ask(Settings.load(), engine, query.format(**place)) as answer:
            list(answer.batches)
        assert "\n" not in str(caught.value), query
        assert "hush" not in str(caught.value), query
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert list(object_store.keys(store, lake.s3_bucket, "")) == before


def test_sql_reads_the_bucket_and_the_catalog(lake: Settings):
    store = object_store.client(lake)
    store.put_object(Bucket=lake.s3_bucket, Key="note", Body=b"here")
    for query, rows in {
        f"SELECT content FROM read_text('s3://{lake.s3_bucket}/note')": [("here",)],
        "SELECT a FROM marts.t": [(7,)],
        "SELECT count(*) FROM ducklake_snapshots('lake')": None,
        "SELECT a.path FROM duckdb_databases() AS a": None,
    }.items():
        with ask(lake, "lake", query) as answer:
            found = [row for batch in answer.batches for row in batch]
        assert found
        assert rows in (None, found), query
        assert lake.secret("s3_secret_key") not in str(found)
        assert lake.secret("catalog_url").split(":")[2].split("@")[0] not in str(found)
