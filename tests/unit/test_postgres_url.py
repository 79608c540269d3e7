"""PostgreSQL's URLs: one form for all clients, and refusals that show nothing of them."""

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from rainbow_assets.errors import SettingsError
from rainbow_assets.postgres_url import canonical, fields_of, for_java, sqlalchemy
from rainbow_assets.settings import Settings

SETTINGS = ("source_url", "stream_url", "catalog_url", "iceberg_catalog_url", "dagster_url")
WRITTEN = {
    "postgresql://u:p@h:1/db": "postgresql://u:p@h:1/db",
    "postgres://u:p@h/db": "postgresql://u:p@h/db",
    "postgresql+psycopg2://u:p@h/db": "postgresql://u:p@h/db",
    "postgresql+psycopg://h/db": "postgresql://h/db",
    "postgresql://u:p%2B+%20x%3F%23%2f%40%C3%A9@h/d%2Fb": "postgresql://u:p%2B%2B%20x%3F%23%2F%40%C3%A9@h/d%2Fb",
    "postgresql://u:p?#w@h/db": "postgresql://u:p%3F%23w@h/db",
    "postgresql://u:p@[::1]:5432/db": "postgresql://u:p@[::1]:5432/db",
    "postgresql://u@a:1,b:2/db?target_session_attrs=read-write":
        "postgresql://u@/db?host=a,b&port=1,2&target_session_attrs=read-write",
    "postgresql://u@/db?host=a,b&port=3,4": "postgresql://u@/db?host=a,b&port=3,4",
    "postgresql://%2Frun%2Fpg/db": "postgresql:///db?host=/run/pg",
    "postgresql://u:p@/db?host=/run/pg&port=5": "postgresql://u:p@/db?host=/run/pg&port=5",
    "postgresql://h/db?ssl=true": "postgresql://h/db?sslmode=require",
    "postgresql://h/db?sslmode=verify-full&sslrootcert=/a%20b.pem&connect_timeout=3&options=-c%20a%3Db":
        "postgresql://h/db?sslmode=verify-full&sslrootcert=/a%20b.pem&connect_timeout=3&options=-c%20a%3Db",
}  # fmt: skip
MALFORMED = {
    "postgresql//u:geheim@h/d": "write postgresql://",
    "mysql://u:geheim@h/d": "write postgresql://",
    "host=h dbname=d password=geheim": "write postgresql://",
    "postgresql://u:geheim@h /d": "write postgresql://",
    "postgresql://u:geheim@h/d\n": "write postgresql://",
    "postgresql://u:geheim@h": "names no database",
    "postgresql://u:geheim@/d": "names no host",
    "postgresql://u:geheim@a,,b/d": "names no host",
    "postgresql://u:ge@heim@h/d": "@ in a user or password as %40",
    "postgresql://u:geheim/x@h/d": "@ in a user or password as %40",
    "postgresql://u:geheim%@h/d": "write % as %25",
    "postgresql://u:geheim%00@h/d": "write % as %25",
    "postgresql://u:%ffgeheim@h/d": "not UTF-8",
    "postgresql://u:geheim@h:0/d": "a port is a number",
    "postgresql://u:geheim@h:x/d": "a port is a number",
    "postgresql://u:geheim@::1/d": "a port is a number",
    "postgresql://u:geheim@[::1/d": "in brackets",
    "postgresql://u:geheim@a,b,c/d?port=1,2": "another number of ports",
    "postgresql://u:x@h/d?sslmod=geheim": "do not know",
    "postgresql://u:geheim@h/d?service=x": "do not know",
    "postgresql://u:geheim@h/d?sslmode=on": "sslmode is one of",
    "postgresql://u:geheim@h/d?options=-c a=b": "write postgresql://",
    "postgresql://u:geheim@h/d?options=-c%20a=b": "write = in a parameter's value as %3D",
    "postgresql://u:geheim@h/d?sslrootcert=ca.pem": "absolute path",
}


@pytest.mark.parametrize(("url", "expected"), WRITTEN.items())
def test_every_client_reads_the_one_form_alike(url: str, expected: str):
    assert canonical(url) == expected
    assert canonical(expected) == expected
    known = fields_of(url)
    assert conninfo_to_dict(expected) == known, "libpq: psycopg, and DuckDB by its secret"
    for dialect, driver in ((PGDialect_psycopg(), "psycopg"), (PGDialect_psycopg2(), "psycopg2")):
        arguments = dialect.create_connect_args(make_url(sqlalchemy(expected, driver)))[1]
        assert {name: str(value) for name, value in arguments.items()} == known, driver


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("url", "said"), MALFORMED.items())
def test_a_malformed_one_is_refused_by_its_settings_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path, setting: str, url: str, said: str
):
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    monkeypatch.setenv(f"RAINBOW_{setting.upper()}", url)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert f"RAINBOW_{setting.upper()}: " in str(caught.value)
    assert said in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_settings_hold_the_one_form(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    for setting in SETTINGS:
        monkeypatch.setenv(f"RAINBOW_{setting.upper()}", "postgres://u:p@h/db")
    settings = Settings.load()
    assert {settings.secret(setting) for setting in SETTINGS} == {"postgresql://u:p@h/db"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u@a,b/db", "one host"),
        ("postgresql:///db?host=/run/pg", "one host"),
        ("postgresql://h/db?options=-csearch_path%3Dx", "takes no options"),
        ("postgresql://h/db?sslcrl=/x&sslmode=require", "takes no sslcrl"),
    ],
)
def test_what_debezium_cannot_be_told_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path, url: str, said: str):
    with pytest.raises(ValueError, match=said):
        for_java(url)
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    monkeypatch.setenv("RAINBOW_STREAM_URL", url)
    with pytest.raises(SettingsError, match=f"RAINBOW_STREAM_URL: .*{said}"):
        Settings.load()


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("http://127.0.0.1:8333", "http://127.0.0.1:8333"),
        ("https://s3.example/", "https://s3.example"),
        ("http://[::1]:8333", "http://[::1]:8333"),
    ],
)
def test_an_s3_endpoint_is_held_as_every_client_takes_it(monkeypatch, tmp_path, value: str, held: str):
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    monkeypatch.setenv("RAINBOW_S3_ENDPOINT", value)
    assert Settings.load().s3_endpoint == held


@pytest.mark.parametrize(
    "value",
    ["http://h/prefix", "http://h:9000/a/b/", "http://h?x=1", "http://h#x", "h:9000", "ftp://h", "http://", "http://h:x",
     "http://user:geheim@h", "http://h h"],
)  # fmt: skip
def test_an_s3_endpoint_with_more_than_a_host_is_refused(monkeypatch, tmp_path, value: str):
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    monkeypatch.setenv("RAINBOW_S3_ENDPOINT", value)
    with pytest.raises(SettingsError, match="RAINBOW_S3_ENDPOINT: ") as caught:
        Settings.load()
    assert "geheim" not in str(caught.value)
