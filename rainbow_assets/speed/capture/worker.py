"""The sink in a process of its own, which is replaced before it grows.

An embedded ClickHouse that is opened and closed for every flush keeps some 2 MB of memory each time; so the process
that has it is followed by a fresh one. Not here: what it does (`sink.py`).
"""

import fcntl
import multiprocessing
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import cast

import psutil

from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.speed.capture.sink import AfterFlush, Batch, Flushed, Position, Sink

LARGEST = 1_200_000_000  # bytes of memory, at which a successor is started
LEAST = 20  # flushes that a process does in any case


class _Process:
    """One process with a sink."""

    def __init__(self, settings: Settings, after_flush: AfterFlush | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, settings, after_flush), daemon=True, name="rainbow sink"
        )
        self._process.start()
        theirs.close()
        self._ready = False
        self.calls = 0

    def is_ready(self) -> bool:
        """Whether it has loaded what it needs."""
        if not self._ready and self._pipe.poll():
            self._pipe.recv()
            self._ready = True
        return self._ready

    def call(self, method: str, *arguments: object) -> object:
        """Call a method of the sink there.

        Raises:
            TransientError: the process ended.
            RainbowError: what the method raised.
        """
        try:
            if not self._ready:
                self._pipe.recv()
                self._ready = True
            self._pipe.send((method, arguments))
            outcome = self._pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise TransientError("The process that writes into ClickHouse ended.", "It is started again.") from None
        self.calls += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def memory(self) -> int:
        """Bytes that it holds."""
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def close(self) -> None:
        """End it; it has nothing under way."""
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class Worker:
    """The sink's methods, wherever they run."""

    def __init__(self, settings: Settings, after_flush: AfterFlush | None = None) -> None:
        """`after_flush`: a function of a module."""
        self._settings, self._after_flush = settings, after_flush
        self._now = _Process(settings, after_flush)
        self._next: _Process | None = None
        self._lock = threading.Lock()  # one call at a time

    def position(self, wait: float) -> Position | None:
        """As the sink's."""
        return cast("Position | None", self._call("position", wait))

    def flush(self, batch: Batch, wait: float) -> Flushed:
        """As the sink's."""
        return cast("Flushed", self._call("flush", batch, wait))

    def show(self, wait: float) -> Flushed | None:
        """As the sink's."""
        return cast("Flushed | None", self._call("show", wait))

    def note(self, position: Position, wait: float) -> None:
        """As the sink's."""
        self._call("note", position, wait)

    def forget(self, wait: float) -> None:
        """As the sink's."""
        self._call("forget", wait)

    def close(self) -> None:
        """End the processes."""
        self._now.close()
        if self._next:
            self._next.close()

    def _call(self, method: str, *arguments: object) -> object:
        with self._lock:
            return self._call_now(method, *arguments)

    def _call_now(self, method: str, *arguments: object) -> object:
        if self._next and self._next.is_ready():
            self._now.close()
            self._now, self._next = self._next, None
        try:
            return self._now.call(method, *arguments)
        except TransientError as error:
            if "ended" in error.message:
                self._now = self._next or _Process(self._settings, self._after_flush)
                self._next = None
            raise
        finally:
            if self._next is None and self._now.calls >= LEAST and self._now.memory > LARGEST:
                self._next = _Process(self._settings, self._after_flush)


def _serve(pipe: Connection, settings: Settings, after_flush: AfterFlush | None) -> None:
    """Do what the pipe says until it closes, which it does when its other end dies too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when this ends
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sink = Sink(settings, after_flush)
    folder = settings.home / "stream"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".sink").open("wb") as lock:
        with suppress(BrokenPipeError):  # the next recv ends it
            pipe.send("ready")
        held = False
        while True:
            try:
                method, arguments = pipe.recv()
            except (EOFError, OSError):
                return
            if not held:  # a predecessor that outlived its parent ends its flush first
                fcntl.flock(lock, fcntl.LOCK_EX)
                held = True
            call: Callable[..., object] = getattr(sink, method)
            try:
                pipe.send(call(*arguments))
            except RainbowError as error:
                pipe.send(error)
            except BrokenPipeError:
                return
            except Exception as error:
                said = " ".join(f"{type(error).__name__}: {error}".split())
                pipe.send(RainbowError(f"The sink failed: {said[:400]}."))
