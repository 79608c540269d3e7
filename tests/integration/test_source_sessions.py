"""What a session with the source is, whatever its role, its database and its server would make of it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import duckdb
import psycopg
import pytest
from alert_servers import certificate
from psycopg import sql
from tls_proxy import Proxy, tls_proxy

from rainbow_assets.errors import DataError, RainbowError, SettingsError, TransientError
from rainbow_assets.landing import drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.source_errors import source_errors
from rainbow_assets.landing.write import Extracted, extract, postgres_source
from rainbow_assets.ops import doctor
from rainbow_assets.postgres_url import fields_of
from rainbow_assets.raw.register import known_columns, register
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.stack import credentials as stored
from rainbow_assets.systems import ducklake, iceberg, object_store, postgres, postgres_session
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

pytestmark = pytest.mark.integration

DAY = Days(date(2026, 3, 1), date(2026, 3, 1))
SOURCE = "RAINBOW_SOURCE_URL"
KINDS = ("timestamptz", "interval", "date[]", "float8[]", "bytea", "regclass", "timetz", "tstzrange", "text")
VALUES = (
    *("2026-03-01 12:00:00+03", "1 day 02:03:04", "{2026-03-04}", "{0.1,1e-5,3.3}", r"\x00ff41", "public.orders"),
    *("12:00+03", "[2026-03-01 00:00+00,2026-03-02 00:00+00)", "Zoë \\"),
)
HOSTILE = {
    "TimeZone": "'Asia/Tokyo'",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "extra_float_digits": "-5",
    "bytea_output": "escape",
    "xmlbinary": "hex",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "client_encoding": "LATIN1",
    "search_path": "elsewhere, public, pg_catalog",
}


class Source:
    """One table of the shop, landed at each call."""

    def __init__(self, settings: Settings, lake: duckdb.DuckDBPyConnection, name: str) -> None:
        self.settings, self.lake, self.table = settings, lake, TABLES[name]
        self.url = settings.secret("source_url")
        self.role, self.database = (fields_of(self.url)[field] for field in ("user", "dbname"))

    def sql(self, *statements: str) -> None:
        with postgres.connect(self.url, "test") as connection:
            for statement in statements:
                connection.execute(statement.replace("{table}", self.table.name).encode())

    def fill(self, rows: int, name: str = "i::text") -> None:
        self.sql(
            f"INSERT INTO {{table}} (name, created_at, updated_at) "
            f"SELECT {name}, '2026-03-01', '2026-03-01' FROM generate_series(1, {rows}) AS i"
        )

    def set_role(self, change: str) -> None:
        """What the role's sessions in this database begin with."""
        with psycopg.connect(self.url, autocommit=True, options="-c statement_timeout=0") as connection:
            connection.execute(f"ALTER ROLE {self.role} IN DATABASE {self.database} {change}".encode())

    def land(self, url: str | None = None) -> Extracted:
        url, bucket = url or self.url, self.settings.s3_bucket
        columns = drift.check(url, self.table, {})
        files = landing_files.files(object_store.client(self.settings), bucket, self.table.name, DAY)
        return extract(self.lake, url, self.table, columns, DAY, files, bucket, "run-1")


@pytest.fixture(scope="module")
def lake(shared_settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    create_schema(shared_settings.secret("source_url"))
    with ducklake.connect(shared_settings) as connection:
        yield connection


@pytest.fixture
def source(
    request: pytest.FixtureRequest, shared_settings: Settings, lake: duckdb.DuckDBPyConnection
) -> Iterator[Source]:
    """The table that the test names; at the end the role is as it was, and the lake's next source is another."""
    found = Source(shared_settings, lake, request.param)
    yield found
    found.set_role("RESET ALL")
    lake.execute("DETACH DATABASE IF EXISTS source")


@pytest.mark.parametrize("source", ["brands"], indirect=True)
def test_the_session_does_not_decide_what_a_value_looks_like(source: Source):
    source.sql(
        "CREATE SCHEMA elsewhere",
        "CREATE FUNCTION elsewhere.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2001-01-01'::timestamptz $$",
        *(f"ALTER TABLE {{table}} ADD COLUMN c{number} {kind}" for number, kind in enumerate(KINDS)),
    )
    source.fill(53)
    source.sql(*(f"UPDATE {{table}} SET c{number} = '{value}'" for number, value in enumerate(VALUES)))
    assert source.land().rows_written == 53
    for name, value in HOSTILE.items():
        source.set_role(f"SET {name} = {value}")
    with psycopg.connect(source.url) as plain:
        assert plain.info.parameter_status("TimeZone") == "Asia/Tokyo", "the role's settings are in force"
        assert plain.execute("SELECT now() < '2002-01-01'").fetchone() == (True,)
    source.lake.execute("DETACH source")
    again = source.land()
    assert (again.rows_read, again.rows_written) == (53, 0)
    query = "SELECT " + ", ".join(f"current_setting('{name}') AS s{number}" for number, name in enumerate(HOSTILE))
    held = {**postgres_session.SESSION, "client_encoding": "UTF8", "DateStyle": "ISO, MDY"}
    for _ in range(3):  # the sessions that DuckDB keeps and resets are no others
        found = source.lake.execute(f"FROM postgres_query('source', {ducklake.literal(query)})").fetchall()[0]
        assert dict(zip(HOSTILE, found, strict=True)) == {name: held[name] for name in HOSTILE}
    assert postgres.fetch(source.url, SOURCE, "SELECT now() > '2020-01-01', '\\'") == [(True, "\\")]


@pytest.mark.parametrize("source", ["sellers"], indirect=True)
def test_rows_that_row_security_hides_are_refused(source: Source):
    source.fill(10)
    source.sql(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY half ON {table} USING (id % 2 = 0)",
        "GRANT SELECT ON {table} TO rainbow_stream",
    )
    assert source.land().rows_written == 10, "policies do not bind the owner"
    source.sql("ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for url in (source.url, source.settings.secret("stream_url")):
        with psycopg.connect(url) as plain:
            assert plain.execute("SELECT count(*) FROM sellers").fetchone() == (5,), "PostgreSQL hides half by itself"
        with pytest.raises(SettingsError, match=r"row-level security.*BYPASSRLS") as caught:
            source.land(url)
        assert "\n" not in str(caught.value)
        source.lake.execute("DETACH DATABASE IF EXISTS source")
    with pytest.raises(RainbowError, match=r"hides rows of sellers\. ALTER ROLE rainbow_shop BYPASSRLS"):
        doctor.CHECKS["Source (PostgreSQL)"](source.settings)
    source.sql("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize("source", ["payments"], indirect=True)
def test_what_the_server_cancels_is_no_fault_of_the_data(source: Source, monkeypatch: pytest.MonkeyPatch):
    source.fill(100_000)
    source.set_role("SET statement_timeout = '20ms'")
    with pytest.raises(TransientError, match="statement timeout"):
        source.land()
    source.set_role("RESET ALL")
    monkeypatch.setitem(postgres_session.SESSION, "lock_timeout", "200ms")
    monkeypatch.setattr(
        "rainbow_assets.landing.write.passes", lambda *_: [DAY]
    )  # it plans, and would meet the lock first
    columns = drift.check(source.url, source.table, {})
    source.lake.execute("DETACH DATABASE IF EXISTS source")
    with psycopg.connect(source.url) as other:
        other.execute("LOCK TABLE payments")
        with pytest.raises(TransientError, match="lock timeout"):
            extract(source.lake, source.url, source.table, columns, DAY, [], source.settings.s3_bucket, "run-1")


@pytest.mark.parametrize("source", ["categories"], indirect=True)
def test_a_value_that_does_not_fit_is_still_a_fault_of_the_data(source: Source):
    source.fill(3, "'x'")
    query = "SELECT name::integer AS n FROM categories"
    source.lake.execute(postgres_source(source.url))
    with (
        pytest.raises(DataError, match=r'invalid input syntax for type integer: "x".*Correct the row'),
        source_errors(source.url, "categories", query),
    ):
        source.lake.execute(f"FROM postgres_query('source', {ducklake.literal(query)})")


@pytest.fixture
def made(stack: Settings) -> Iterator[list[str]]:
    """Names of databases that are dropped at the end."""
    names: list[str] = []
    yield names
    with psycopg.connect(admin(stack), autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def admin(stack: Settings) -> str:
    password = stored.ensure(stack.home).postgres
    return f"postgresql://postgres:{quote(password)}@127.0.0.1:{stack.pg_port}/postgres"


@pytest.mark.parametrize("source", ["customers"], indirect=True)
@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII"])
def test_a_source_in_another_encoding(stack: Settings, made: list[str], source: Source, encoding: str):
    name = f"{source.database}_{encoding.lower()}"
    with psycopg.connect(admin(stack), autocommit=True) as connection:
        create = "CREATE DATABASE {} OWNER {} ENCODING {} TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
        names = sql.Identifier(name), sql.Identifier(source.role), sql.Literal(encoding)
        connection.execute(sql.SQL(create).format(*names))
        made.append(name)
    url = source.url.replace(f"/{source.database}", f"/{name}")
    if encoding == "SQL_ASCII":
        with pytest.raises(SettingsError, match="RAINBOW_SOURCE_URL is in SQL_ASCII"):
            source.land(url)
        return
    create_schema(url)
    word = "Zoë" if encoding == "LATIN1" else "日本"
    with postgres.connect(url, SOURCE) as connection:
        query = "INSERT INTO customers (first_name, created_at, updated_at) VALUES (%s, '2026-03-01', '2026-03-01')"
        connection.execute(query, [word])
    [file] = source.land(url).files
    query = f"SELECT first_name FROM read_parquet('{file.uri}')"
    assert source.lake.execute(query).fetchall() == [(word,)]


@pytest.fixture
def proxy(stack: Settings, short_dir: Path) -> Iterator[tuple[Proxy, Path]]:
    pem = certificate(short_dir)
    with tls_proxy(stack.pg_port, pem) as proxy:
        yield proxy, pem


def changed(source: Source, urls: dict[str, str]) -> Settings:
    return Settings.model_validate(source.settings.model_dump() | urls)


def through(url: str, port: int, parameters: str) -> str:
    """The URL by localhost (the name in the certificate) and another port."""
    before, _, rest = url.partition("@")
    return f"{before}@localhost:{port}/{rest.partition('/')[2]}?{parameters}"


@pytest.mark.parametrize("source", ["promotions"], indirect=True)
def test_tls_holds_for_every_client(source: Source, proxy: tuple[Proxy, Path], short_dir: Path):
    source.fill(10)
    server, pem = proxy
    trust = f"sslmode=verify-full&sslrootcert={quote(str(pem))}"
    fields = ("source_url", "catalog_url", "iceberg_catalog_url")
    settings = changed(source, {name: through(source.settings.secret(name), server.port, trust) for name in fields})
    with ducklake.connect(settings) as lake:
        there = Source(settings, lake, source.table.name)
        assert there.land().rows_written == 10
        files = landing_files.files(object_store.client(settings), settings.s3_bucket, source.table.name, DAY)
        register(lake, iceberg.connect(settings), there.table, files, DAY, "run-1")
        assert known_columns(lake, there.table)
        [(secrets,)] = lake.execute("SELECT string_agg(secret_string) FROM duckdb_secrets()").fetchall()
        assert all(fields_of(settings.secret(name))["password"] not in secrets for name in fields)
    assert server.plain == []
    users = {fields_of(settings.secret(name))["user"] for name in fields}
    assert set(server.encrypted) == users

    other = short_dir / "other"
    other.mkdir()
    strange = through(source.settings.secret("source_url"), server.port, "sslmode=verify-full&sslrootcert=") + quote(
        str(certificate(other))
    )
    plain = source.settings.secret("source_url") + "?sslmode=require"
    for url, said in ((strange, "certificate verify failed"), (plain, "does not support SSL")):
        with pytest.raises(SettingsError, match=said):
            source.land(url)
        settings = changed(source, {"catalog_url": url, "iceberg_catalog_url": url})
        with pytest.raises(RainbowError, match=said) as caught, ducklake.connect(settings):
            pass
        assert fields_of(url)["password"] not in str(caught.value)
        with pytest.raises(RainbowError, match=said):
            iceberg.connect(settings)


@pytest.mark.parametrize("source", ["products"], indirect=True)
def test_several_hosts_and_options_reach_every_client(source: Source, stack: Settings):
    source.fill(10)
    more = f"host=127.0.0.1,127.0.0.1&port=1,{stack.pg_port}&connect_timeout=5&options=-c%20work_mem%3D7MB"
    fields = ("source_url", "catalog_url", "iceberg_catalog_url")

    def several(url: str) -> str:
        before, _, rest = url.partition("@")
        return f"{before.replace('postgresql:', 'postgres:')}@/{rest.partition('/')[2]}?{more}"

    settings = changed(source, {name: several(source.settings.secret(name)) for name in fields})
    with ducklake.connect(settings) as lake:
        assert Source(settings, lake, source.table.name).land().rows_written == 10
        for place in ("source", "__ducklake_metadata_lake"):
            query = f"FROM postgres_query('{place}', 'SELECT current_setting(''work_mem'') AS m')"
            assert lake.execute(query).fetchall() == [("7MB",)]
    with iceberg.connect(settings).engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW work_mem").fetchall() == [("7MB",)]
