"""What `rainbow sql` lets the engines run."""

import duckdb
import pytest

from rainbow_assets.errors import DataError
from rainbow_assets.ops import statements

READS = [
    "SELECT 1",
    "  select 1 ; -- all",
    "FROM marts.total_sales",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "VALUES (1)",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE raw.orders",
    "SUMMARIZE raw.orders",
    "EXPLAIN SELECT 1",
    "explain\nanalyze SELECT 1",
    "SELECT * FROM raw.orders AT (VERSION => 3)",
    "FROM read_parquet('s3://rainbow/raw/orders/*/*.parquet')",
    "FROM read_parquet(['s3://rainbow/raw/a.parquet', 's3://rainbow/raw/b.parquet'], union_by_name = true)",
    "FROM 's3://rainbow/raw/a.parquet'",
    "FROM ducklake_snapshots('lake')",
    "FROM lake.table_changes('orders', 1, 2)",
    "SELECT 'postgres_scan(' AS query, unnest([1, 2])",
    "SELECT query FROM (SELECT 1 AS query)",
]
BEYOND = [
    "",
    "SELECT 1; SELECT 2",
    "COPY (SELECT 1) TO 's3://rainbow/raw/planted'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 's3://rainbow/raw/planted'",
    "EXPLAIN /* */ ANALYZE COPY (SELECT 1) TO 's3://rainbow/raw/planted'",
    "EXPLAIN ANALYZE DELETE FROM raw.orders",
    "ATTACH '/tmp/x.db'",
    "INSTALL httpfs",
    "SET lock_configuration = false",
    "CALL ducklake_expire_snapshots('lake')",
    "CREATE TABLE t AS SELECT 1",
    "PRAGMA database_list",
    "FROM postgres_query('__ducklake_metadata_lake', 'DELETE FROM ducklake_snapshot RETURNING 1')",
    "FROM \"Postgres_Scan\"('host=elsewhere', 'public', 't')",
    "SELECT (SELECT count(*) FROM postgres_scan('host=elsewhere', 'public', 't'))",
    "FROM (DESCRIBE FROM postgres_scan('host=elsewhere', 'public', 't'))",
    "WITH a AS (FROM postgres_scan('host=elsewhere', 'public', 't')) FROM raw.orders WHERE EXISTS (FROM a)",
    "FROM query('FROM postgres' || '_scan(''host=elsewhere'', ''a'', ''b'')')",
    "FROM query_table('raw.orders')",
    "FROM json_execute_serialized_sql('{}')",
    "FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
    "FROM ducklake_expire_snapshots('lake', older_than => now())",
    "FROM read_text('s3://rainbow/x?s3_endpoint=127.0.0.1:1&s3_use_ssl=false')",
    "FROM 's3://rainbow/x.parquet?s3_endpoint=127.0.0.1:1'",
    "FROM read_text('s3://rainbow/x' || '?s3_endpoint=127.0.0.1:1')",
    "FROM read_text(getvariable('x'))",
    "FROM read_text((SELECT 's3://rainbow/x?s3_endpoint=127.0.0.1:1'))",
    "FROM read_parquet(['s3://rainbow/x', 's3://rainbow/../other/x'])",
    "FROM glob('s3://other/*')",
    "SELECT (FROM parquet_metadata('s3://rainbow/x?s3_region=elsewhere'))",
    "FROM duckdb_secrets()",
    "EXPLAIN FROM duckdb_secrets()",
]


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        yield made


@pytest.mark.parametrize("query", READS)
def test_the_lake_answers_what_reads(connection: duckdb.DuckDBPyConnection, query: str):
    statements.check_lake(connection, query, "rainbow")


@pytest.mark.parametrize("query", BEYOND)
def test_the_lake_refuses_what_goes_beyond_it(connection: duckdb.DuckDBPyConnection, query: str):
    with pytest.raises(DataError):
        statements.check_lake(connection, query, "rainbow")


@pytest.mark.parametrize(
    "canonical",
    [
        "SELECT 1",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "WITH 1 AS a SELECT a FORMAT JSON",
        "SHOW TABLES",
        "DESCRIBE TABLE v_total_sales",
        "EXISTS TABLE t",
        "EXPLAIN SELECT 1",
        "SELECT 'it\\'s INTO OUTFILE file(' AS `into outfile`, file FROM t",
        "SELECT profile(1)",
    ],
)
def test_clickhouse_answers_what_reads(canonical: str):
    statements.check_clickhouse(canonical)


@pytest.mark.parametrize(
    "canonical",
    [
        "SELECT 1 INTO OUTFILE '/tmp/planted'",
        "SELECT file('/etc/passwd')",
        "SELECT 'a\\\\', file('/etc/passwd')",
        "DESCRIBE TABLE file('/etc/passwd', CSVWithNames)",
        "DESCRIBE TABLE url('http://elsewhere/', CSVWithNames)",
        "SYSTEM STOP MERGES",
        "KILL QUERY WHERE 1",
        "USE system",
        "SET readonly = 0",
        "INSERT INTO t FORMAT Values",
        "",
    ],
)
def test_clickhouse_refuses_files_and_commands(canonical: str):
    with pytest.raises(DataError):
        statements.check_clickhouse(canonical)


@pytest.mark.parametrize(
    "query",
    [
        "FROM read_text('{folder}/secret')",
        "FROM '{folder}/secret.csv'",
        "FROM glob('{folder}/*')",
        "FROM read_csv('{folder}/secret')",
        "FROM read_blob('/proc/self/environ')",
        "COPY (SELECT 1) TO '{folder}/planted'",
        "ATTACH '{folder}/planted.db'",
        "FROM read_text('s3://other/secret')",
        "FROM read_text('s3://rainbow-too/secret')",
        "FROM read_text('https://127.0.0.1/secret')",
        "INSTALL spatial",
        "SET enable_external_access = true",
        "RESET allowed_directories",
        "SET lock_configuration = false",
    ],
)
def test_shut_in_nothing_outside_of_the_bucket_is_opened(tmp_path, query: str):
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "secret.csv").write_text("hush")
    with duckdb.connect() as made:
        statements.shut_in(made, "rainbow")
        with pytest.raises(duckdb.Error, match=r"disabled by configuration|has been locked|does not exist"):
            made.execute(query.format(folder=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", "secret.csv"]


def test_shut_in_what_is_large_is_still_spilled(tmp_path):
    with duckdb.connect(
        config={"temp_directory": str(tmp_path / "spill"), "memory_limit": "30MB", "threads": 1}
    ) as made:
        statements.shut_in(made, "rainbow")
        rows = made.execute("SELECT i FROM range(1_500_000) AS r (i) ORDER BY hash(i), i OFFSET 1_499_999").fetchall()
    assert len(rows) == 1
