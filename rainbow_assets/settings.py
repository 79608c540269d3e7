"""The only reader of the environment: every setting, its meaning and its default.

Order: environment variable, then `$RAINBOW_HOME/rainbow.env`, then the default. Not here: anything that
connects to a system.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values, set_key, unset_key
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rainbow_assets import clickhouse_url, postgres_url
from rainbow_assets.errors import DataError, SettingsError

PREFIX = "RAINBOW_"
PROJECT_DIR = Path(__file__).resolve().parent.parent
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)  # that a partition can be
ADDRESS = r"^[^@\s,<>\"]+@[^@\s,<>\"]+$"
HOST = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
URL_SCHEMES = {
    "alert_smtp_url": ("smtp", "smtps"),
    "alert_slack_url": ("https", "http"),
    "alert_webhook_url": ("https", "http"),
    "alert_ui_url": ("https", "http"),
}


def _written_out(value: object) -> object:
    """A date's text as it is; pydantic would also take a number, as seconds since 1970."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("Input should be a date as YYYY-MM-DD")
    return value


def _within(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"Input should be a date from {FIRST_DAY} to {LAST_DAY}")
    return day


Day = Annotated[date, BeforeValidator(_written_out), AfterValidator(_within)]


class Settings(BaseModel):
    """All settings, checked. Field `x_y` is the environment variable `RAINBOW_X_Y`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str = Field(
        default="local", pattern=r"^[\w.-]{1,40}$", description="this installation's name, in the records of runs"
    )
    home: Path = Field(default=PROJECT_DIR / ".rainbow", description="everything that the embedded stack writes")
    source_url: SecretStr | None = Field(default=None, description="the shop, postgresql://…")
    stream_url: SecretStr | None = Field(
        default=None, description="the shop for `rainbow stream`, postgresql://…, a role with REPLICATION"
    )
    catalog_url: SecretStr | None = Field(default=None, description="the DuckLake catalog, postgresql://…")
    iceberg_catalog_url: SecretStr | None = Field(default=None, description="the Iceberg catalog, postgresql://…")
    dagster_url: SecretStr | None = Field(default=None, description="Dagster's storage, postgresql://…")
    s3_endpoint: str | None = Field(default=None, description="http(s)://host:port; unset: Amazon S3")
    s3_access_key: SecretStr | None = Field(default=None, description="S3 access key")
    s3_secret_key: SecretStr | None = Field(default=None, description="S3 secret key")
    s3_region: str = Field(default="us-east-1", description="S3 region")
    s3_bucket: str = Field(default="rainbow", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="bucket")
    clickhouse_url: SecretStr | None = Field(
        default=None,
        description="chdb:///path (embedded) or clickhouse(s)://user:password@host:port/rainbow",
    )
    start_date: Day = Field(default=date(2026, 1, 1), description="first daily partition")
    end_date: Day | None = Field(
        default=None, description="last daily partition, where days end before yesterday (UTC)"
    )
    lookback_days: int = Field(
        default=3, ge=0, le=366, description="days before a run's first in which it looks for rows that came late"
    )
    open_transactions_wait: int = Field(
        default=600,
        ge=0,
        le=86400,
        description="seconds that a run waits for transactions of the source that began before its last day's end",
    )
    retention_days: int = Field(
        default=7, ge=0, le=36500, description="days that maintenance keeps snapshots and logs for"
    )
    pg_port: int = Field(default=15432, ge=1, le=65535, description="port of the embedded PostgreSQL")
    s3_port: int = Field(default=18333, ge=1, le=65535, description="port of the embedded S3 server")
    allowed_hosts: str | None = Field(
        default=None,
        pattern=rf"^\s*{HOST}(\s*,\s*{HOST})*\s*$",
        description="names, beside those of the loopback, by which the web servers are asked for; separated by commas",
    )
    currency: str = Field(
        default="", pattern=r"^[^\s\d<>&\"']{0,5}$", description="the shop's currency, beside amounts in the dashboard"
    )
    alert_smtp_url: SecretStr | None = Field(
        default=None, description="smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465 (TLS)"
    )
    alert_email_from: str | None = Field(default=None, pattern=ADDRESS, description="sender of alerts")
    alert_email_to: str | None = Field(default=None, description="recipients of alerts, separated by commas")
    alert_slack_url: SecretStr | None = Field(default=None, description="Slack's incoming webhook")
    alert_webhook_url: SecretStr | None = Field(default=None, description="takes alerts as JSON")
    alert_late_hour: int = Field(default=6, ge=0, le=23, description="UTC hour by which yesterday must be in raw")
    alert_stream_lag_seconds: int = Field(
        default=300, ge=1, le=604800, description="seconds that the stream may be behind, or its slot without a reader"
    )
    alert_stream_lag_bytes: int = Field(
        default=1_000_000_000, ge=1, description="bytes of the source's log that the stream may be behind"
    )
    alert_ui_url: str = Field(default="http://127.0.0.1:3000", description="the Dagster UI, for links in alerts")

    @field_validator("source_url", "stream_url", "catalog_url", "iceberg_catalog_url", "dagster_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None, field: ValidationInfo) -> SecretStr | None:
        """Made canonical once, for all clients; the message never shows it."""
        if value is None:
            return None
        if field.field_name == "stream_url":
            postgres_url.for_java(value.get_secret_value())
        return SecretStr(postgres_url.canonical(value.get_secret_value()))

    @field_validator("clickhouse_url")
    @classmethod
    def _is_clickhouse(cls, value: SecretStr | None) -> SecretStr | None:
        """Nothing in it is left out; the message never shows it."""
        if value is not None:
            clickhouse_url.parse(value.get_secret_value())
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _is_endpoint(cls, value: str | None) -> str | None:
        """No more than a scheme, a host and a port: of a path, one client takes nothing, another one something else."""
        if value is None:
            return None
        try:
            url = urlsplit(value)
            whole = bool(url.hostname) and (url.port is None or url.port > 0) and value.isprintable()
        except ValueError:
            whole = False
        if not whole or url.scheme not in {"http", "https"} or "@" in url.netloc or " " in value:
            raise ValueError("write http://host:port or https://host, without a user or a password")
        if url.path.strip("/") or url.query or url.fragment:
            raise ValueError("no path: the bucket has a setting of its own")
        return f"{url.scheme}://{url.netloc}"

    @field_validator("alert_smtp_url", "alert_slack_url", "alert_webhook_url", "alert_ui_url")
    @classmethod
    def _is_url(cls, value: SecretStr | str | None, field: ValidationInfo) -> SecretStr | str | None:
        """It has a host and one of the schemes; the message never shows it, as it may hold a secret."""
        schemes = URL_SCHEMES[str(field.field_name)]
        clear = value.get_secret_value() if isinstance(value, SecretStr) else value
        try:
            url = urlsplit(clear or f"{schemes[0]}://unset")
            whole = bool(url.hostname) and (url.port is None or url.port > 0)
        except ValueError:
            whole = False
        if not whole or url.scheme not in schemes or any(sign.isspace() for sign in clear or ""):
            raise ValueError(f"write {' or '.join(f'{scheme}://host…' for scheme in schemes)}")
        if url.scheme == "http" and field.field_name == "alert_slack_url" and url.hostname not in LOOPBACK:
            raise ValueError("write https://host…: its path is a password")
        if field.field_name != "alert_smtp_url" and "@" in url.netloc:
            raise ValueError("no user or password in this URL")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.end_date and self.end_date < self.start_date:
            raise ValueError(f"RAINBOW_END_DATE {self.end_date} is before RAINBOW_START_DATE {self.start_date}")
        if self.pg_port == self.s3_port:
            raise ValueError(f"RAINBOW_PG_PORT and RAINBOW_S3_PORT are both {self.pg_port}")
        mail = {name: getattr(self, name) for name in ("alert_smtp_url", "alert_email_from", "alert_email_to")}
        if any(mail.values()) and (missing := [name for name, value in mail.items() if not value]):
            raise ValueError(f"alerts by e-mail also need {', '.join(PREFIX + name.upper() for name in missing)}")
        if wrong := [address for address in self.alert_recipients if not re.fullmatch(ADDRESS, address)]:
            raise ValueError(f"RAINBOW_ALERT_EMAIL_TO has {wrong[0]!r}, which is no address")
        return self

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment over `rainbow.env` over the defaults.

        Raises:
            SettingsError: a RAINBOW_ variable is unknown or its value malformed, or the file cannot be read; the
                message names it.
        """
        environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
        home = _resolved(Path(environment.get("RAINBOW_HOME") or cls.model_fields["home"].default))
        file = home / "rainbow.env"
        recorded = _recorded(file)
        fields = {f"{PREFIX}{field.upper()}": field for field in cls.model_fields}
        values: dict[str, Any] = {}
        for origin, names in ((str(file), recorded), ("the environment", environment)):
            for name, value in names.items():
                if name not in fields:
                    raise SettingsError(f"Unknown setting {name} in {origin}.", f"Known settings: {', '.join(fields)}.")
                if value:
                    values[fields[name]] = value
        values["home"] = home
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(_explain(error), "Correct it and try again.") from None

    @classmethod
    def secrets(cls) -> set[str]:
        """Every secret, as it is written in the environment and the file, and as it was read: also a malformed one."""
        fields = {
            f"{PREFIX}{name.upper()}" for name, field in cls.model_fields.items() if "Secret" in str(field.annotation)
        }
        places: list[Mapping[str, str]] = [os.environ]
        found = set[str]()
        with suppress(SettingsError):  # no path, or no text
            places.append(
                _recorded(_resolved(Path(os.environ.get("RAINBOW_HOME") or PROJECT_DIR / ".rainbow")) / "rainbow.env")
            )
        with suppress(SettingsError):  # its own message holds no value
            read = vars(cls.load()).values()
            found |= {value.get_secret_value() for value in read if isinstance(value, SecretStr)}
        return found | {place[name] for place in places for name in fields if place.get(name)}

    @property
    def env_file(self) -> Path:
        """Where `rainbow up`, `seed` and `load-olist` record settings; mode 600, it holds credentials."""
        return self.home / "rainbow.env"

    @property
    def last_partition(self) -> date:
        """The newest daily partition: the last day that is over (UTC), or `RAINBOW_END_DATE` where that is earlier."""
        return min(self.end_date or LAST_DAY, yesterday())

    def ended(self, newest: date | None = None) -> str | None:
        """Why no further day comes, where `RAINBOW_END_DATE` is before `newest` (default: yesterday); else None."""
        if self.end_date is None or self.end_date >= (newest or yesterday()):
            return None
        return f"the days end with RAINBOW_END_DATE {self.end_date}, and no later one is run until it is removed"

    def require_partitions(self, first: date, last: date) -> None:
        """See that `first` to `last` is a range of daily partitions.

        Raises:
            DataError: it is upside down, or leaves the partitions.
        """
        if last < first:
            raise DataError(f"The range {first} to {last} is upside down.", "Write the earlier day first.")
        if first < self.start_date or last > self.last_partition:
            raise DataError(
                f"{first if first == last else f'{first} to {last}'} is outside the partitions, "
                f"{self.start_date} to {self.last_partition}; a day becomes one when it is over (UTC).",
                "Choose days within them, or set RAINBOW_START_DATE and RAINBOW_END_DATE.",
            )

    @property
    def host_names(self) -> list[str]:
        """The names of `RAINBOW_ALLOWED_HOSTS`, an IPv6 address without its brackets."""
        return [part.strip().strip("[]").lower() for part in (self.allowed_hosts or "").split(",") if part.strip()]

    @property
    def alert_recipients(self) -> list[str]:
        """The addresses of `RAINBOW_ALERT_EMAIL_TO`, each once."""
        addresses = (part.strip() for part in (self.alert_email_to or "").split(","))
        return list(dict.fromkeys(address for address in addresses if address))

    def secret(self, field: str) -> str:
        """The value of a setting that something needs now.

        Raises:
            SettingsError: it is not set.
        """
        value: SecretStr | None = getattr(self, field)
        if value is None:
            raise SettingsError(
                f"{PREFIX}{field.upper()} is not set.", "Run `rainbow up` for the embedded stack, or set it."
            )
        return value.get_secret_value()

    def record(self, **values: object) -> "Settings":
        """Write settings to `rainbow.env` (mode 600) and return the settings read anew; None takes one out.

        All of them or none: the file is written beside its place and then moved into it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        draft = self.env_file.with_name(f".rainbow.env.{os.getpid()}")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        try:
            if self.env_file.exists():
                draft.write_bytes(self.env_file.read_bytes())
            for field, value in values.items():
                name = f"{PREFIX}{field.upper()}"
                if value is not None:
                    set_key(draft, name, str(value), quote_mode="always")
                elif name in dotenv_values(draft):
                    unset_key(draft, name)
            with draft.open("rb") as written:
                os.fsync(written.fileno())
            draft.replace(self.env_file)
        finally:
            draft.unlink(missing_ok=True)
        return Settings.load()


def yesterday() -> date:
    """The last day that is over (UTC)."""
    return datetime.now(UTC).date() - timedelta(days=1)


def _resolved(home: Path) -> Path:
    try:
        return home.expanduser().resolve()
    except (OSError, RuntimeError) as error:  # a loop of links, a user without a home
        raise SettingsError(f"RAINBOW_HOME {str(home)!r} is no path: {error}.", "Correct it and try again.") from None


def _recorded(file: Path) -> dict[str, str]:
    """What `rainbow.env` sets; nothing where there is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"{file} cannot be read: {reason}.", "Mend it, or correct RAINBOW_HOME.") from None
    return {name: value for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items() if value}


def _explain(error: ValidationError) -> str:
    """One line for pydantic's list of faults; never shows the value of a secret."""
    parts = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = f"{PREFIX}{str(fault['loc'][0]).upper()}: " if fault["loc"] else ""
        parts.append(f"{name}{fault['msg'].removeprefix('Value error, ')}")
    return "Malformed setting: " + "; ".join(parts) + "."
