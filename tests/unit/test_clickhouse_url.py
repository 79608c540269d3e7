"""What a URL of ClickHouse may be, told where settings are read and without showing it."""

import os
from pathlib import Path

import pytest

from rainbow_assets import clickhouse_url
from rainbow_assets.errors import SettingsError
from rainbow_assets.settings import PREFIX, Settings


@pytest.fixture(autouse=True)
def _no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))


@pytest.mark.parametrize(
    "url",
    [
        *("http://h/rainbow", "chdb://relative/path", "chdb:///", "clickhouse://", "clickhouse://u:pw@h:99999/x"),
        *("clickhouse://u:pw#1@h/x", "clickhouse://u:pw@h:0/x", "clickhouse://u:p/w@h/x", "pw"),
        *("clickhouse://u:pw@h/rainbow?secure=true", "clickhouses://u:pw@h/rainbow?", "chdb:///path?config-file=pw"),
        *("clickhouse://u:pw@h/rainbow#pw", "clickhouse://u:12#pw@h/rainbow", "chdb:///a#1/pw"),
    ],
)
def test_a_malformed_url_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("RAINBOW_CLICKHOUSE_URL", url)
    with pytest.raises(SettingsError, match="Malformed setting: RAINBOW_CLICKHOUSE_URL: ") as caught:
        Settings.load()
    said = str(caught.value).replace("user:password", "")
    assert "\n" not in said
    assert "pw" not in said
    assert caught.value.__cause__ is None


def test_what_would_be_dropped_says_what_to_write(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAINBOW_CLICKHOUSE_URL", "clickhouse://u:pw@h/rainbow?secure=true")
    with pytest.raises(SettingsError, match="TLS is clickhouses://"):
        Settings.load()


@pytest.mark.parametrize(
    "url", ["clickhouse://h", "clickhouses://u:p%23%3F%40@[::1]:9440/d", "chdb:///a b/c", "clickhouse://u@h/"]
)
def test_a_whole_one_passes_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("RAINBOW_CLICKHOUSE_URL", url)
    assert Settings.load().secret("clickhouse_url") == url


def test_an_embedded_one_holds_any_path():
    assert clickhouse_url.embedded(Path("/a/b")) == "chdb:///a/b"
    assert clickhouse_url.parse(clickhouse_url.embedded(Path("/a #?%/b"))).path == "/a%20%23%3F%25/b"
