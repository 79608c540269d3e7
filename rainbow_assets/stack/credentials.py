"""The stack's credentials: generated at the first start, kept in one file of mode 600, never made anew."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rainbow_assets.errors import StackError


def _password() -> str:
    return secrets.token_hex(20)


@dataclass(frozen=True, repr=False)
class Credentials:
    """One password a PostgreSQL role, and the S3 key pair."""

    postgres: str = field(default_factory=_password)
    rainbow_shop: str = field(default_factory=_password)
    rainbow_stream: str = field(default_factory=_password)
    rainbow_ducklake: str = field(default_factory=_password)
    rainbow_iceberg: str = field(default_factory=_password)
    rainbow_dagster: str = field(default_factory=_password)
    s3_access_key: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    s3_secret_key: str = field(default_factory=_password)


def ensure(home: Path) -> Credentials:
    """The credentials of the stack in `home`; new ones where nothing was ever started.

    Raises:
        StackError: data exists but its credentials are gone or unreadable.
    """
    file = home / "credentials.json"
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        credentials = Credentials(**held)
        if held == asdict(credentials):
            return credentials
    except FileNotFoundError:
        if (home / "postgres").exists():
            hint = f"Restore the file, or start anew without the data: rm -r {home}."
            raise StackError(f"{file} is missing, and the data in {home} opens with it only.", hint) from None
    except (ValueError, TypeError):
        raise StackError(f"{file} is damaged.", "Restore it: the data opens with it only.") from None
    else:  # made before there was a role that there is now
        write_private(file, json.dumps(asdict(credentials), indent=2) + "\n")
        return credentials
    credentials = Credentials()
    write_private(file, json.dumps(asdict(credentials), indent=2) + "\n")
    return credentials


def write_private(file: Path, text: str) -> None:
    """Write a file of mode 600, whole or not at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(file)
