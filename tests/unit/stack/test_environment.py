"""What the shell and Dagster are told."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from rainbow_assets.errors import SettingsError
from rainbow_assets.settings import Settings
from rainbow_assets.stack.environment import dagster_environment, shell_environment


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"])
def test_dagster_gets_the_driver_that_it_can_use(scheme: str):
    settings = Settings(dagster_url=SecretStr(f"{scheme}://u:p%40@h:1/db?sslmode=require"))
    told = dagster_environment(settings)
    assert told["DAGSTER_PG_URL"] == (
        "postgresql+psycopg2://u:p%40@h:1/db?sslmode=require&connect_timeout=10&keepalives_idle=60"
    )
    assert told["DAGSTER_HOME"] == str(settings.home / "dagster")
    assert told["DO_NOT_TRACK"] == "1"


def test_a_relative_home_holds_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAINBOW_HOME", "home")
    monkeypatch.setenv("RAINBOW_DAGSTER_URL", "postgresql://h/db")
    settings = Settings.load()
    for told in (dagster_environment(settings), shell_environment(settings)):
        assert told["RAINBOW_HOME"] == str(tmp_path / "home")


def test_without_a_storage_there_is_no_environment():
    with pytest.raises(SettingsError, match="RAINBOW_DAGSTER_URL"):
        dagster_environment(Settings())


def test_the_shell_gets_what_is_set_but_not_the_dates():
    settings = Settings(dagster_url=SecretStr("postgresql://h/db"), s3_secret_key=SecretStr("key"))
    told = shell_environment(settings)
    assert told["RAINBOW_S3_SECRET_KEY"] == "key"
    assert told["RAINBOW_PG_PORT"] == "15432"
    assert "RAINBOW_SOURCE_URL" not in told
    assert "RAINBOW_START_DATE" not in told
