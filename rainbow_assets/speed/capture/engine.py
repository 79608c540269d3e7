"""Debezium's PostgreSQL connector, embedded: batches of records as one text each, acknowledged when they are flushed.

Here: its properties, and the bridge to Python, which crosses once a batch and never once a row. Not here: what is done
with a batch (`stream.py`).
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.postgres_url import fields_of
from rainbow_assets.speed.capture.decode import PREFIX, beat
from rainbow_assets.speed.capture.published import NAME
from rainbow_assets.speed.capture.unsent import MARKER
from rainbow_assets.tables import TABLES

LARGEST_BATCH = 32768  # records
HEARTBEAT = 5  # seconds
Handle = Callable[[bytes, dict[str, Any], int], bool]
SSL = {"sslmode": "sslmode", "sslrootcert": "sslrootcert", "sslcert": "sslcert", "sslkey": "sslkey"}
REFUSED = ("permission denied", "must be", "authentication", "does not exist", "pg_hba.conf")


def properties(url: str, offsets: Path, token: str) -> dict[str, str]:
    """What Debezium is told; the password is among it, so it is shown to nobody. `token`: of the heartbeats."""
    fields = fields_of(url)
    return {
        "name": NAME,
        "topic.prefix": NAME,
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": f"[{fields['host']}]" if ":" in fields["host"] else fields["host"],
        "database.port": fields.get("port", "5432"),
        "database.dbname": fields["dbname"],
        "database.user": fields.get("user", ""),
        "database.password": fields.get("password", ""),
        **{f"database.{ours}": fields[theirs] for theirs, ours in SSL.items() if theirs in fields},
        "plugin.name": "pgoutput",
        "slot.name": NAME,
        "publication.name": NAME,
        "publication.autocreate.mode": "disabled",
        "table.include.list": ",".join(rf"public\.{name}" for name in TABLES),
        "message.prefix.include.list": PREFIX,
        "unavailable.value.placeholder": MARKER,
        "snapshot.mode": "initial",
        "skipped.operations": "none",  # truncates too
        "tombstones.on.delete": "false",
        "decimal.handling.mode": "string",
        "time.precision.mode": "microseconds",
        "heartbeat.interval.ms": str(HEARTBEAT * 1000),
        "heartbeat.action.query": beat(token),
        "max.batch.size": str(LARGEST_BATCH),
        "max.queue.size": str(2 * LARGEST_BATCH),
        "max.queue.size.in.bytes": str(64 * 2**20),
        "snapshot.fetch.size": "10000",
        "poll.interval.ms": "20",
        "key.converter.schemas.enable": "false",
        "value.converter.schemas.enable": "false",
        "offset.storage": "org.apache.kafka.connect.storage.FileOffsetBackingStore",
        "offset.storage.file.filename": str(offsets),
        "offset.flush.interval.ms": "0",
        # Failures are `stream.py`'s: it looks at the slot again before it tries again.
        "errors.max.retries": "0",
        "slot.max.retries": "0",
        "task.management.timeout.ms": "20000",
    }


class Engine:
    """One run of the connector, in a thread of its own."""

    def __init__(self, config: dict[str, str], resume: int | None, handle: Handle, log: Path) -> None:
        """`resume`: the LSN to go on from; None: a first copy. `handle`: takes the texts, the offset after them, their
        number. `log`: where Debezium tells more.

        The Java machine of `java.py` must run.
        """
        self._handle, self._log = handle, log
        self._stopping = threading.Event()
        self._busy = threading.Lock()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._said = ""
        self._offsets(Path(config["offset.storage.file.filename"]), resume)
        self._engine = self._build(config)
        self._thread = threading.Thread(target=self._run, name="debezium", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has ended.

        Raises:
            RainbowError: it ended by a failure; a `TransientError` where that may pass.
        """
        if not self._ended.wait(seconds):
            return False
        if self._error is not None:
            raise self._error
        if self._said and not self._stopping.is_set():
            if any(mark in self._said for mark in REFUSED):
                raise RainbowError(f"Debezium failed: {self._said}.", f"See {self._log}.")
            raise TransientError(f"Debezium failed: {self._said}.", f"See {self._log}.")
        return True

    def close(self) -> None:
        """End it, after the batch that is being handled."""
        self._stopping.set()
        with self._busy:
            pass
        if self._thread.is_alive():
            try:
                self._engine.close()
            except Exception as error:  # Java's: it ends anyway, or with this process
                self._said = self._said or str(error)
        self._thread.join(30)

    def _run(self) -> None:
        try:
            self._engine.run()
        except Exception as error:  # Java's
            self._said = self._said or _reason(str(error))
        finally:
            self._ended.set()

    def _build(self, config: dict[str, str]) -> Any:
        import jpype

        java = jpype.JClass
        engine = self

        @jpype.JImplements("io.debezium.engine.DebeziumEngine$ChangeConsumer")
        class Consumer:
            @jpype.JOverride  # type: ignore[untyped-decorator]
            def handleBatch(self, records: Any, committer: Any) -> None:  # noqa: N802
                engine._take(records, committer)

            @jpype.JOverride  # type: ignore[untyped-decorator]
            def supportsTombstoneEvents(self) -> bool:  # noqa: N802
                return False

        @jpype.JImplements("io.debezium.engine.DebeziumEngine$CompletionCallback")
        class Completed:
            @jpype.JOverride  # type: ignore[untyped-decorator]
            def handle(self, success: bool, message: Any, error: Any) -> None:
                if not success:
                    engine._said = _reason(_causes(error) or str(message))

        values = java("java.util.Properties")()
        for name, value in config.items():
            values.setProperty(name, value)
        builder = java("io.debezium.engine.DebeziumEngine").create(java("io.debezium.engine.format.Json"))
        self._value = _method("io.debezium.engine.ChangeEvent", "value")
        return builder.using(values).using(Completed()).notifying(Consumer()).build()

    def _take(self, records: Any, committer: Any) -> None:
        """Handle a batch, then acknowledge it: marking its last record marks all before it."""
        import jpype

        if self._stopping.is_set():
            raise InterruptedError("the stream is ending")
        with self._busy:
            try:
                count = records.size()
                joining = jpype.JClass("java.util.stream.Collectors").joining("\n")
                text = records.stream().map(self._value).collect(joining).getBytes("UTF-8")
                last = records.get(count - 1)
                # PostgreSQL is told of what was flushed only: where it stands is never ahead of ClickHouse.
                if self._handle(bytes(text), _plain(last.sourceRecord().sourceOffset()), count):
                    committer.markProcessed(last)
                    committer.markBatchFinished()
            except BaseException as error:
                self._error = self._error or error
                raise

    @staticmethod
    def _offsets(file: Path, resume: int | None) -> None:
        """Write Debezium's offset file: ClickHouse is what keeps the position, this tells it to Debezium.

        A message is what Debezium takes up from without looking for the record within its transaction.
        """
        import jpype

        file.unlink(missing_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if resume is None:
            file.unlink()
            return
        offset = {"lsn": resume, "lsn_proc": resume, "lsn_commit": resume, "messageType": "MESSAGE", "ts_usec": 0}
        java = jpype.JClass
        octets = jpype.JArray(jpype.JByte)
        held = java("java.util.HashMap")()
        key = json.dumps([NAME, {"server": NAME}], separators=(",", ":"))
        held.put(octets(key.encode()), octets(json.dumps(offset).encode()))
        output = java("java.io.ObjectOutputStream")(java("java.io.FileOutputStream")(str(file)))
        output.writeObject(held)
        output.close()


def _method(interface: str, name: str) -> Any:
    """A Java method as a Java function, so that Java's own streams can call it."""
    import jpype

    java = jpype.JClass
    signature = java("java.lang.invoke.MethodType").methodType(java("java.lang.Object").class_)
    handle = java("java.lang.invoke.MethodHandles").publicLookup().findVirtual(java(interface), name, signature)
    function = java("java.util.function.Function")
    return java("java.lang.invoke.MethodHandleProxies").asInterfaceInstance(function, handle)


def _plain(offset: Any) -> dict[str, Any]:
    """A Java map of an offset as Python's."""
    import jpype

    plain: dict[str, Any] = {}
    for entry in offset.entrySet():
        value = entry.getValue()
        if isinstance(value, bool | jpype.JBoolean) or str(getattr(value, "getClass", lambda: "")()).endswith(
            "Boolean"
        ):
            plain[str(entry.getKey())] = bool(value)
        elif isinstance(value, int):
            plain[str(entry.getKey())] = int(value)
        else:
            plain[str(entry.getKey())] = None if value is None else str(value)
    return plain


def _causes(error: Any) -> str:
    """The innermost cause of a Java failure that says something."""
    said = ""
    while error is not None:
        said = str(error.getMessage() or said)
        error = error.getCause()
    return said


def _reason(text: str) -> str:
    return " ".join(text.split())[:300].rstrip(". ")
