"""The environment that `dagster`, `dbt` and a shell need to work on this stack."""

from pydantic import SecretStr

from rainbow_assets.settings import PREFIX, Settings

# `seed` and `load-olist` record the dates in rainbow.env; an exported copy would hide what they record next.
NOT_EXPORTED = {"start_date", "end_date"}


def dagster_environment(settings: Settings) -> dict[str, str]:
    """What a process that runs Dagster needs beside the settings: its home, its storage, no telemetry.

    RAINBOW_HOME is among them, absolute: dbt reads the settings again in a folder of its own.

    Raises:
        SettingsError: RAINBOW_DAGSTER_URL is not set.
    """
    _scheme, _, rest = settings.secret("dagster_url").partition("://")
    return {
        f"{PREFIX}HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.home / "dagster"),
        # SQLAlchemy takes postgresql:// for psycopg 3, which dagster-postgres cannot use.
        "DAGSTER_PG_URL": f"postgresql+psycopg2://{rest}",
        "DAGSTER_EVENT_BATCH_SIZE": "500",
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    }


def shell_environment(settings: Settings) -> dict[str, str]:
    """Every setting of the stack that has a value, and `dagster_environment`; secrets in clear."""
    values = {}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if value is not None and field not in NOT_EXPORTED:
            clear = value.get_secret_value() if isinstance(value, SecretStr) else value
            values[f"{PREFIX}{field.upper()}"] = str(clear)
    return values | dagster_environment(settings)
