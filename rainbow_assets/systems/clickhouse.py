"""ClickHouse: the server, or the embedded engine (chDB); only the URL tells them apart.

Here: how a connection is made, how ClickHouse names the lake's types, how it reads files of the object store, and
its failures in one line. Not here: what is published, and how (`serving/publish.py`).
"""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import clickhouse_connect
import psutil
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, Error, OperationalError

from rainbow_assets.clickhouse_url import PORTS, parse
from rainbow_assets.errors import DataError, RainbowError, TransientError
from rainbow_assets.machine import machine
from rainbow_assets.settings import Settings
from rainbow_assets.systems.object_store import refusal

DATABASE = "rainbow"
HINT = "See `rainbow doctor`."

# Codes of failures that pass: timeouts, too many queries, network, memory, too many parts, S3.
TRANSIENT = {159, 202, 209, 210, 241, 252, 499}
REFUSED = {192, 193, 194, 497, 516}

# Of the embedded engine: memory as the machine allows it, and a cache of marks (5 GB by itself) that fits into it.
CONFIGURATION = """<clickhouse>
    <max_server_memory_usage>{memory}</max_server_memory_usage>
    <mark_cache_size>{marks}</mark_cache_size>
</clickhouse>
"""

TYPES = {
    "BOOLEAN": "Bool",
    "TINYINT": "Int8",
    "SMALLINT": "Int16",
    "INTEGER": "Int32",
    "BIGINT": "Int64",
    "UTINYINT": "UInt8",
    "USMALLINT": "UInt16",
    "UINTEGER": "UInt32",
    "UBIGINT": "UInt64",
    "FLOAT": "Float32",
    "DOUBLE": "Float64",
    "VARCHAR": "String",
    "DATE": "Date32",
    "TIMESTAMP": "DateTime64(6, 'UTC')",
    "TIMESTAMP WITH TIME ZONE": "DateTime64(6, 'UTC')",
}


def quote(name: str) -> str:
    """A quoted identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(value: object) -> str:
    """A quoted string literal."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def column_type(kind: str, nullable: bool) -> str:
    """The ClickHouse type of a DuckDB type.

    Raises:
        DataError: there is none that holds every value exactly (HUGEINT becomes a DOUBLE in Parquet).
    """
    name = TYPES.get(kind)
    if decimal := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind):
        name = f"Decimal({decimal[1]}, {decimal[2]})"
    if name is None:
        raise DataError(f"ClickHouse has no exact type for {kind}.", "Cast the column in its dbt model.")
    return f"Nullable({name})" if nullable else name


def s3_files(settings: Settings, keys: Sequence[str], structure: str) -> str:
    """The `s3()` expression that reads these Parquet files of the bucket: a list, never a prefix.

    The server hides the secret key in its logs and messages; `errors` hides it in ours.
    """
    bucket, endpoint = settings.s3_bucket, settings.s3_endpoint
    base = f"{endpoint.rstrip('/')}/{bucket}" if endpoint else f"https://{bucket}.s3.{settings.s3_region}.amazonaws.com"
    path = keys[0] if len(keys) == 1 else "{" + ",".join(keys) + "}"
    credentials = f"{literal(settings.secret('s3_access_key'))}, {literal(settings.secret('s3_secret_key'))}"
    return f"s3({literal(f'{base}/{path}')}, {credentials}, 'Parquet', {literal(structure)})"


@contextmanager
def connect(settings: Settings, wait: float = 30.0) -> Iterator[Client]:
    """A client on the database `rainbow` (created where it is missing), closed at the end.

    Closing frees an embedded database for the next process; while another one holds it, wait up to `wait` seconds.

    Raises:
        SettingsError: the URL is not set.
        TransientError: another process holds the embedded database, or the server does not answer.
        RainbowError: the server refuses the user.
    """
    url = parse(settings.secret("clickhouse_url"))
    database = url.path.strip("/") if url.scheme != "chdb" else DATABASE
    with errors(settings, "connecting"):
        client = _embedded(Path(unquote(url.path)), wait) if url.scheme == "chdb" else _server(url)
    try:
        with errors(settings, "opening the database"):
            if client.command(f"EXISTS DATABASE {quote(database or DATABASE)}") != 1:
                client.command(f"CREATE DATABASE IF NOT EXISTS {quote(database or DATABASE)} ENGINE = Atomic")
            client.database = database or DATABASE
        yield client
    finally:
        client.close()


@contextmanager
def errors(settings: Settings, doing: str) -> Iterator[None]:
    """Turn ClickHouse's failures into the project's: one line, and no secret in it.

    Raises:
        TransientError: it may pass.
        RainbowError: it will not.
    """
    try:
        yield
    except ClickHouseError as error:
        reason = _redact(settings, str(error))
        code = error.code if isinstance(error, Error) else None
        message = f"ClickHouse failed at {doing}: {reason}"
        if code in REFUSED:
            raise RainbowError(message, "Check the user and password in RAINBOW_CLICKHOUSE_URL.") from None
        denied = code == 499 and re.search(r"response code: 40[13]", str(error))
        if denied:
            raise refusal("RequestTimeTooSkewed" if "RequestTimeTooSkewed" in str(error) else message) from None
        if code in TRANSIENT or (code is None and isinstance(error, OperationalError)):
            raise TransientError(message, HINT) from None
        raise RainbowError(message, HINT) from None


def _redact(settings: Settings, text: str) -> str:
    """The first line of an error, without its frame and without secrets."""
    url = urlsplit(settings.secret("clickhouse_url"))
    secrets = [url.password, unquote(url.password or "")]
    secrets += [value.get_secret_value() for value in (settings.s3_secret_key,) if value]
    for secret in filter(None, secrets):
        text = text.replace(secret, "[HIDDEN]")
    if refused := re.search(r"\(Caused by .*?Error\(.*?: (.*?)\"\)\)", text):
        text = f"{refused[1]} ({url.hostname}:{url.port or PORTS.get(url.scheme)})"
    line = re.sub(r"^.*?DB::Exception: ", "", text.strip().splitlines()[0])
    return f"{line[:300].rstrip('. ')}."


def _server(url: SplitResult) -> Client:
    return clickhouse_connect.get_client(
        host=url.hostname,
        port=url.port or PORTS[url.scheme],
        username=unquote(url.username or "default"),
        password=unquote(url.password or ""),
        secure=url.scheme == "clickhouses",
        connect_timeout=10,
        send_receive_timeout=3600,
        autogenerate_session_id=False,  # one client serves several threads
    )


RACES = 5  # so often opening may fail beside another process that opens or closes it


def _embedded(path: Path, wait: float) -> Client:
    """Open an embedded database once no other process holds it."""
    deadline, faults = time.monotonic() + wait, 0
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid == os.geteuid():
        path.chmod(0o700)  # the engine's own files are readable by everyone
    while True:
        holder = _holder(path / "status")
        if holder is None:
            try:
                return clickhouse_connect.get_client(interface="chdb", path=f"{path}?config-file={_configure(path)}")
            except ClickHouseError as error:
                if "different path" in str(error):
                    raise RainbowError(
                        f"This process has another embedded database open than {path}.", "Close it first."
                    ) from None
                # Whoever held the lock may have let go of it since: only what comes again is a fault of its own.
                faults += _holder(path / "status") is None
                if faults > RACES:
                    raise
        if time.monotonic() >= deadline:
            raise TransientError(
                f"The embedded ClickHouse at {path} is in use by {holder or 'another process'}: one at a time.",
                "Wait for that process or stop it, or set RAINBOW_CLICKHOUSE_URL to a server.",
            )
        time.sleep(0.1)


def _configure(path: Path) -> Path:
    """The engine's settings, beside the database; without them it takes a `config.xml` of the current folder."""
    file, memory = path.with_name(f"{path.name}.xml"), machine().clickhouse
    # Aside, and each thread in a place of its own: several may open the database at once.
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".clickhouse-") as aside:
        draft = Path(aside) / file.name
        draft.write_text(CONFIGURATION.format(memory=memory, marks=memory // 8), encoding="utf-8")
        draft.replace(file)
    return file


def _holder(status: Path) -> str | None:
    """Which other process holds the engine's lock file, if any."""
    try:
        with status.open(encoding="utf-8") as file:
            fields = dict(line.split(": ", 1) for line in file.read().splitlines() if ": " in line)
            pid = int(fields.get("PID", "0"))
            if pid == os.getpid():
                return None  # the engine's handles share one lock within a process
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with suppress(psutil.Error):
                    return f"process {pid} ({psutil.Process(pid).name()})"
                return f"process {pid}"
    except FileNotFoundError:
        pass
    return None
