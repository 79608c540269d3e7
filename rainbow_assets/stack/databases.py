"""The embedded PostgreSQL's databases: each its own owner role, no role more than it needs.

Here: which databases there are, and their creation. Not here: tables (each part makes its own).
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from rainbow_assets.stack.credentials import Credentials
from rainbow_assets.stack.ports import LOOPBACK

# setting: (database, its owner)
DATABASES = {
    "source_url": ("rainbow", "rainbow_shop"),
    "catalog_url": ("rainbow_ducklake", "rainbow_ducklake"),
    "iceberg_catalog_url": ("rainbow_iceberg", "rainbow_iceberg"),
    "dagster_url": ("rainbow_dagster", "rainbow_dagster"),
}
ROLE: LiteralString = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
# Reads the shop's log, which is the whole server's, and the tables that the shop's owner lets it read.
STREAM = "rainbow_stream"


def ensure_databases(port: int, credentials: Credentials, suffix: str = "") -> dict[str, str]:
    """Create the roles and databases that are missing; the URL of each by the name of its setting.

    `suffix` is added to the databases' names: several sets may share one server and its roles.
    """
    urls = {}
    with psycopg.connect(_url(port, "postgres", credentials.postgres, "postgres"), autocommit=True) as admin:
        admin.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        for setting, (database, role) in DATABASES.items():
            password: str = getattr(credentials, role)
            _ensure_role(admin, role, password)
            _ensure_database(admin, database + suffix, role)
            urls[setting] = _url(port, role, password, database + suffix)
        # A run asks which transactions are open in the source, whoever's they are.
        owner = DATABASES["source_url"][1]
        if admin.execute("SELECT NOT pg_has_role(%s, 'pg_read_all_stats', 'member')", [owner]).fetchone() == (True,):
            admin.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(owner)))
        shop = DATABASES["source_url"][0] + suffix
        _ensure_role(admin, STREAM, credentials.rainbow_stream, "REPLICATION")
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(*map(sql.Identifier, (shop, STREAM))))
        urls["stream_url"] = _url(port, STREAM, credentials.rainbow_stream, shop)
    return urls


def drop_databases(port: int, credentials: Credentials, suffix: str) -> None:
    """Drop the set of databases with that suffix, whoever is connected."""
    with psycopg.connect(_url(port, "postgres", credentials.postgres, "postgres"), autocommit=True) as admin:
        for database, _role in DATABASES.values():
            slots = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s"
            admin.execute(slots, [database + suffix])
            name = sql.Identifier(database + suffix)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _ensure_role(
    admin: psycopg.Connection, role: str, password: str, replication: LiteralString = "NOREPLICATION"
) -> None:
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        return
    # Only the verifier goes to the server: the password itself is in no statement and no log.
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("CREATE ROLE {} " + ROLE + " " + replication + " PASSWORD {}")
    admin.execute(statement.format(sql.Identifier(role), sql.Literal(verifier)))


def _ensure_database(admin: psycopg.Connection, database: str, owner: str) -> None:
    if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
        names = sql.Identifier(database), sql.Identifier(owner)
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


def _url(port: int, role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{password}@{LOOPBACK}:{port}/{database}"
