"""Where settings come from, what is refused, and how they are recorded."""

import os
import re
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest

from rainbow_assets.errors import DataError, SettingsError
from rainbow_assets.settings import PREFIX, PROJECT_DIR, Settings, yesterday


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_environment_goes_before_file_goes_before_default(home: Path, monkeypatch: pytest.MonkeyPatch):
    assert Settings.load().s3_bucket == "rainbow"
    Settings.load().record(s3_bucket="from-file", s3_region="eu-west-1")
    monkeypatch.setenv("RAINBOW_S3_BUCKET", "from-environment")
    assert (Settings.load().s3_bucket, Settings.load().s3_region) == ("from-environment", "eu-west-1")
    monkeypatch.setenv("RAINBOW_S3_BUCKET", "")
    assert Settings.load().s3_bucket == "from-file", "an empty variable is an unset one"


def test_what_is_empty_or_not_ours_is_not_read(monkeypatch: pytest.MonkeyPatch):
    for field in set(Settings.model_fields) - {"home"}:
        monkeypatch.setenv(f"RAINBOW_{field.upper()}", "")
    monkeypatch.setenv("rainbow_pg_port", "abc")
    settings = Settings.load()
    assert settings == Settings(home=settings.home)
    assert settings.end_date is None
    assert settings.s3_endpoint is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RAINBOW_BUKET", "x", "Unknown setting RAINBOW_BUKET in the environment"),
        ("RAINBOW_PG_PORT", "70000", "RAINBOW_PG_PORT"),
        ("RAINBOW_S3_PORT", "abc", "RAINBOW_S3_PORT"),
        ("RAINBOW_S3_PORT", "15432", "RAINBOW_PG_PORT and RAINBOW_S3_PORT are both 15432"),
        ("RAINBOW_pg_port", "15432", "Unknown setting RAINBOW_pg_port in the environment"),
        ("RAINBOW_START_DATE", "2026-02-30", "RAINBOW_START_DATE"),
        ("RAINBOW_START_DATE", "1704067200", "RAINBOW_START_DATE: Input should be a date as YYYY-MM-DD"),
        ("RAINBOW_START_DATE", "1969-12-31", "RAINBOW_START_DATE: Input should be a date from 1970-01-01"),
        ("RAINBOW_END_DATE", "9999-12-31", "RAINBOW_END_DATE: Input should be a date from 1970-01-01 to 2099-12-31"),
        ("RAINBOW_END_DATE", "2020-01-01", "RAINBOW_END_DATE 2020-01-01 is before RAINBOW_START_DATE"),
        ("RAINBOW_S3_BUCKET", "Not A Bucket", "RAINBOW_S3_BUCKET"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(said)) as caught:
        Settings.load()
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_in_the_file_names_the_file(home: Path):
    home.mkdir()
    (home / "rainbow.env").write_text("RAINBOW_S3_BUCKETS='x'\n")
    with pytest.raises(SettingsError, match=rf"RAINBOW_S3_BUCKETS in {home}/rainbow\.env"):
        Settings.load()


@pytest.mark.parametrize("fault", ["not UTF-8", "a folder", "a file as home", "a name too long", "nobody's home"])
def test_a_file_that_cannot_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch, fault: str):
    said = f"{home}/rainbow.env cannot be read: "
    if fault == "not UTF-8":
        home.mkdir()
        (home / "rainbow.env").write_bytes(b"RAINBOW_S3_BUCKET='\xff'\n")
    elif fault == "a folder":
        (home / "rainbow.env").mkdir(parents=True)
    elif fault == "a file as home":
        home.touch()
    elif fault == "a name too long":
        monkeypatch.setenv("RAINBOW_HOME", str(home) + "x" * 300)
        said = "rainbow.env cannot be read: File name too long"
    else:
        monkeypatch.setenv("RAINBOW_HOME", "~no-such-user/home")
        said = "RAINBOW_HOME '~no-such-user/home' is no path"
    with pytest.raises(SettingsError, match=re.escape(said)):
        Settings.load()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_is_named(home: Path):
    home.mkdir()
    (home / "rainbow.env").touch(mode=0o000)
    with pytest.raises(SettingsError, match=re.escape(f"{home}/rainbow.env cannot be read: Permission denied")):
        Settings.load()


@pytest.mark.parametrize("value", ["a'b", 'a"b', "${HOME}", "a\\b", "a b#c", "ä€"])
def test_any_text_survives_the_file(value: str):
    assert Settings.load().record(s3_secret_key=value).secret("s3_secret_key") == value


def test_record_keeps_what_the_user_wrote_and_is_private(home: Path):
    home.mkdir()
    (home / "rainbow.env").write_text("# mine\nRAINBOW_S3_REGION=eu-west-1")
    settings = Settings.load().record(s3_bucket="other")
    assert (settings.s3_region, settings.s3_bucket) == ("eu-west-1", "other")
    assert settings.env_file.read_text().startswith("# mine\n")
    assert stat.S_IMODE(settings.env_file.stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["rainbow.env"]


def test_none_takes_a_setting_out(home: Path):
    assert Settings.load().record(end_date="2026-03-01", s3_region="x").end_date == date(2026, 3, 1)
    for _ in range(2):  # also where it is not there
        settings = Settings.load().record(end_date=None)
        assert (settings.end_date, settings.s3_region) == (None, "x")


@pytest.mark.parametrize(
    ("end", "newest"),
    [
        ("", None),
        ("2026-03-01", date(2026, 3, 1)),
        ("yesterday", None),
        ("2098-01-01", None),
    ],
)
def test_the_newest_partition_is_a_day_that_is_over(monkeypatch: pytest.MonkeyPatch, end: str, newest: date | None):
    newest = newest or yesterday()  # of now: the tests may run over midnight
    monkeypatch.setenv("RAINBOW_END_DATE", end.replace("yesterday", str(yesterday())))
    settings = Settings.load()
    assert settings.last_partition == newest
    assert (settings.ended() is not None) == (newest < yesterday())
    settings.require_partitions(settings.start_date, newest)
    today = yesterday() + timedelta(days=1)
    for first, last in ((today, today), (newest, today), (newest + timedelta(days=1), newest + timedelta(days=1))):
        with pytest.raises(DataError, match=f"is outside the partitions, 2026-01-01 to {newest}; a day becomes one"):
            settings.require_partitions(first, last)
    with pytest.raises(DataError, match="upside down"):
        settings.require_partitions(newest, newest - timedelta(days=1))


def test_record_writes_all_or_nothing(home: Path, monkeypatch: pytest.MonkeyPatch):
    Settings.load().record(s3_bucket="before")

    class Unwritable:
        def __str__(self) -> str:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Settings.load().record(s3_bucket="after", s3_region=Unwritable())
    assert Settings.load().s3_bucket == "before"
    assert [path.name for path in home.iterdir()] == ["rainbow.env"]


def test_secrets_do_not_show(home: Path):
    settings = Settings.load().record(s3_secret_key="hidden-key", source_url="postgresql://u:hidden-pw@h/db")
    assert "hidden" not in repr(settings) + str(settings)
    with pytest.raises(SettingsError, match="RAINBOW_CATALOG_URL is not set"):
        settings.secret("catalog_url")


def test_the_example_lists_every_setting():
    listed = set(re.findall(r"^# (RAINBOW_\w+)=", (PROJECT_DIR / ".env.example").read_text(), re.MULTILINE))
    assert listed == {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
