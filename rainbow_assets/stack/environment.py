"""The environment that `dagster`, `dbt` and a shell need to work on this stack."""

from contextlib import suppress

from pydantic import SecretStr

from rainbow_assets.postgres_url import fields_of, sqlalchemy
from rainbow_assets.settings import PREFIX, PROJECT_DIR, Settings
from rainbow_assets.stack.ports import LOOPBACK
from rainbow_assets.systems.postgres_session import DEFAULTS

# `seed` and `load-olist` record the dates in rainbow.env; an exported copy would hide what they record next.
NOT_EXPORTED = {"start_date", "end_date"}


def dagster_environment(settings: Settings) -> dict[str, str]:
    """What a process that runs Dagster needs beside the settings: its home, its storage, no telemetry.

    RAINBOW_HOME is among them, absolute: dbt reads the settings again in a folder of its own.

    Raises:
        SettingsError: RAINBOW_DAGSTER_URL is not set.
    """
    return {
        f"{PREFIX}HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.home / "dagster"),
        # dagster-postgres cannot use psycopg 3.
        "DAGSTER_PG_URL": sqlalchemy(settings.secret("dagster_url"), "psycopg2", DEFAULTS),
        "DAGSTER_EVENT_BATCH_SIZE": "500",
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    }


def is_embedded(settings: Settings) -> bool:
    """Whether the source is the embedded stack's own PostgreSQL."""
    if settings.source_url is None or not (settings.home / "postgres").is_dir():
        return False
    fields = fields_of(settings.secret("source_url"))
    return (fields.get("host"), fields.get("port")) == (LOOPBACK, str(settings.pg_port))


def prepare_dagster_home(settings: Settings) -> None:
    """Make the DAGSTER_HOME, with the project's dagster.yaml in it; one that the user put there stays."""
    folder = settings.home / "dagster"
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    link, target = folder / "dagster.yaml", PROJECT_DIR / "dagster.yaml"
    if link.is_symlink() and link.readlink() != target:
        link.unlink()
    if not link.is_symlink() and not link.exists():
        with suppress(FileExistsError):  # another run was faster
            link.symlink_to(target)


def shell_environment(settings: Settings) -> dict[str, str]:
    """Every setting of the stack that has a value, and `dagster_environment`; secrets in clear."""
    values = {}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if value is not None and field not in NOT_EXPORTED:
            clear = value.get_secret_value() if isinstance(value, SecretStr) else value
            values[f"{PREFIX}{field.upper()}"] = str(clear)
    return values | dagster_environment(settings)
