"""DuckDB, opened for this project: nothing of the user's own DuckDB counts, and memory as the machine has it.

Here: what an engine is opened with. Not here: extensions, secrets and the lake (`ducklake.py`).
"""

import duckdb

from rainbow_assets.machine import MIB, machine

# A secret kept in ~/.duckdb with a narrower scope would win over ours; an extension there is of another's making.
ALONE: dict[str, str] = {
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# What httpfs takes from AWS_* and DUCKDB_S3_* variables as it is loaded, and uses wherever a secret says nothing.
FROM_ENVIRONMENT = (
    *("s3_access_key_id", "s3_secret_access_key", "s3_session_token", "s3_region", "s3_endpoint", "s3_kms_key_id"),
    *("s3_requester_pays", "s3_use_ssl", "s3_url_style"),
)


def options() -> dict[str, str]:
    """What an engine is opened with."""
    return ALONE | {"memory_limit": f"{machine().duckdb // MIB} MiB"}


def open_engine(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A new engine in memory."""
    more: dict[str, str] = {"threads": str(threads)} if threads else {}
    return duckdb.connect(config={**options(), **more})


def forget_environment() -> list[str]:
    """The statements that put back what httpfs took from the environment."""
    return [f"RESET {name}" for name in FROM_ENVIRONMENT]
