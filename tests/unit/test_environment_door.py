"""What passes the door, and what a command's own interpreter makes of another program's variables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rainbow_assets import environment
from rainbow_assets.settings import PROJECT_DIR

HOSTILE = (
    *("PGSSLMODE", "PGSERVICE", "PGOPTIONS", "PGHOST", "PGTZ", "PGCLIENTENCODING", "PGOAUTHTOKEN"),
    *("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_CA_BUNDLE"),
    *("DBT_TARGET", "DBT_FULL_REFRESH", "DBT_PROFILES_DIR", "DAGSTER_HOME", "DAGSTER_PG_URL", "PYICEBERG_MAX_WORKERS"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONIOENCODING", "PYTHONOPTIMIZE"),
    *("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "MALLOC_ARENA_MAX", "LD_PRELOAD"),
    *("STREAMLIT_SERVER_ADDRESS", "UVICORN_WORKERS", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "DUCKDB_S3_ENDPOINT"),
    *("GIT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CLICKHOUSE_PASSWORD", "WHATEVER_COMES_NEXT"),
)
LOOPBACK = "localhost,127.0.0.1,::1,[::1]"


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_named_does_not_pass(name: str):
    assert environment.passed({name: "another"}).get(name) != "another"


def test_what_the_machine_says_passes():
    machine = {"PATH": "/bin", "LC_ALL": "C", "RAINBOW_HOME": "/x", "TERM": "dumb", "SSL_CERT_FILE": "/ca.pem"}
    assert machine.items() <= environment.passed(machine).items()
    assert environment.passed({"TZ": "America/Lima"})["TZ"] == "UTC"


@pytest.mark.parametrize(
    ("told", "http", "direct"),
    [
        ({}, None, LOOPBACK),
        ({"HTTP_PROXY": "http://p:1"}, "http://p:1", LOOPBACK),
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://q:1"}, "http://p:1", LOOPBACK),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1", LOOPBACK),
        ({"ALL_PROXY": "socks5://p:1"}, None, LOOPBACK),
        ({"all_proxy": "http://p:1", "HTTP_PROXY": "http://q:1"}, "http://q:1", LOOPBACK),
        ({"NO_PROXY": "a.example, 127.0.0.1"}, None, "a.example,127.0.0.1,localhost,::1,[::1]"),
        ({"NO_PROXY": "*"}, None, "*"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "a.example, *"}, "http://p:1", "*"),
    ],
)
def test_loopback_is_never_asked_through_a_proxy(told: dict[str, str], http: str | None, direct: str):
    passed = environment.passed(told)
    for spelt in (str.lower, str.upper):
        assert passed.get(spelt("http_proxy")) == http
        assert passed[spelt("no_proxy")] == direct


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://127.0.0.1:8333", None),
        ("http://127.0.0.2:8333", None),
        ("http://[::1]:8333", None),
        ("http://[::1]", None),
        ("http://localhost:8333", None),
        ("http://[2001:db8::1]:9000", "http://p:1"),
        ("http://store.example:9000", "http://p:1"),
        ("https://store.example", None),
        ("http://near.example", None),
    ],
)
def test_a_store_of_the_users_own_follows_the_variables(monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None):
    for name in environment.PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://p:1")
    monkeypatch.setenv("NO_PROXY", "near.example")
    assert environment.proxy_for(url) == proxy


def test_no_proxy_at_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://p:1")
    monkeypatch.setenv("no_proxy", "*")
    assert environment.proxy_for("http://store.example:9000") is None


def test_in_a_process_of_somebody_else_only_what_reaches_ours_goes(monkeypatch: pytest.MonkeyPatch):
    before = dict(os.environ)
    for name in ("PGSSLMODE", "DBT_TARGET", "PYICEBERG_MAX_WORKERS", "DAGSTER_HOME", "AWS_ROLE_ARN"):
        monkeypatch.setenv(name, "another")
    try:
        environment.guard()
        assert {name for name, value in os.environ.items() if value == "another"} == {
            *("DBT_TARGET", "DAGSTER_HOME", "AWS_ROLE_ARN")
        }
        environment.guard(("DBT_",))
        assert "DBT_TARGET" not in os.environ
        assert os.environ["PGPASSFILE"] == environment.NOWHERE
        assert "127.0.0.1" in os.environ["no_proxy"]
    finally:
        os.environ.clear()
        os.environ.update(before)


STORAGE = """
import importlib, json, os, yaml
told = yaml.safe_load(open("dagster.yaml"))["storage"]["custom"]
getattr(importlib.import_module(told["module"]), told["class"])
print(json.dumps(dict(os.environ)))
"""


def test_dagsters_storage_is_reached_by_its_url_alone():
    """As `dagster` itself loads it, before any definition, in a shell that was told by `rainbow env`."""
    theirs = {"PGSSLMODE": "require", "PGSERVICE": "another", "PGPASSFILE": "/another", "DAGSTER_PG_URL": "kept"}
    done = subprocess.run(
        [sys.executable, "-c", STORAGE], cwd=PROJECT_DIR, capture_output=True, check=False, env=os.environ | theirs
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert not {"PGSSLMODE", "PGSERVICE"} & told.keys()
    assert (told["PGPASSFILE"], told["DAGSTER_PG_URL"]) == (environment.NOWHERE, "kept")


SHADOW = "raise SystemExit('a module of PYTHONPATH was imported')"
SAID = """
import json, os, sys
from rainbow_assets import cli
cli.environment.enter()
import warnings
warnings.warn("old", DeprecationWarning)
print("✓ é \\udcff")
print(json.dumps([sys.path, dict(os.environ)]), file=sys.stderr)
"""


def test_the_interpreter_of_a_command_is_its_own(tmp_path: Path):
    for name in ("typer", "pydantic", "duckdb", "json"):
        (tmp_path / f"{name}.py").write_text(SHADOW)
    hostile = {"PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"}
    program = Path(sys.executable).with_name("rainbow")
    done = subprocess.run([program, "--help"], capture_output=True, check=False, env=os.environ | hostile)
    assert (done.returncode, done.stderr) == (0, b"")
    del hostile["PYTHONPATH"]
    done = subprocess.run([sys.executable, "-c", SAID], capture_output=True, check=False, env=os.environ | hostile)
    assert done.stdout.decode() == "✓ é \\udcff\n", done.stderr.decode()
    path, told = json.loads(done.stderr)
    assert str(tmp_path) not in path
    assert not [name for name in told if name in {"PYTHONWARNINGS", "PYTHONIOENCODING"}]


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_no_character_fails(locale: str):
    script = SAID.replace("import warnings", "").replace('warnings.warn("old", DeprecationWarning)', "")
    variables = {"LC_ALL": locale, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, env=os.environ | variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith(("✓ é", "\\u2713"))


def test_a_full_disk_is_one_line():
    """`/dev/full` takes nothing, as a full disk."""
    program = Path(sys.executable).with_name("rainbow")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([program, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No room is left")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_has_enough_is_no_error():
    program = Path(sys.executable).with_name("rainbow")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([program, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
