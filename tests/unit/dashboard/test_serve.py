"""What the server is started with: loopback, no telemetry, and no secret that it does not need."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from rainbow_assets.dashboard import serve
from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings


def settings(home: Path) -> Settings:
    secrets = {
        "source_url": "postgresql://u:p1@h/d",
        "s3_access_key": "p2",
        "s3_secret_key": "p3",
        "dagster_url": "postgresql://u:p4@h/d",
    }
    needed = {"clickhouse_url": "chdb:///somewhere", "catalog_url": "postgresql://u:p5@h/d"}
    return Settings(home=home, **{name: SecretStr(value) for name, value in (secrets | needed).items()})


def test_the_environment_holds_only_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RAINBOW_S3_SECRET_KEY": "p3", "AWS_SECRET_ACCESS_KEY": "p6", "LANG": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    told = serve.environment(settings(tmp_path), tmp_path / "dashboard")
    assert told["RAINBOW_CLICKHOUSE_URL"] == "chdb:///somewhere"
    assert told["RAINBOW_CATALOG_URL"] == "postgresql://u:p5@h/d"
    assert told["RAINBOW_HOME"] == told["HOME"] == str(tmp_path / "dashboard")
    assert told["LANG"] == "C.UTF-8"
    assert not [
        name for name, value in told.items() if any(secret in value for secret in ("p1", "p2", "p3", "p4", "p6"))
    ]


def test_the_command_line_keeps_it_to_itself_and_holds_no_secret() -> None:
    line = serve.command(8501)
    for option in (
        "--server.address=127.0.0.1", "--server.port=8501", "--server.headless=true", "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false", "--client.showErrorDetails=none",
    ):  # fmt: skip
        assert option in line
    assert not any("://" in part for part in line)


def test_without_the_extra_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: object())
    serve.require_installed()
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    with pytest.raises(RainbowError, match="streamlit and altair, which is not installed"):
        serve.require_installed()
