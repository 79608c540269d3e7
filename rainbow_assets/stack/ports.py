"""Ports on 127.0.0.1: free ones, and ones that somebody else has."""

import errno
import socket
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress
from random import SystemRandom

import psutil

from rainbow_assets.errors import StackError

LOOPBACK = "127.0.0.1"
FREE = range(20_000, 32_000)
ENDING = 5.0  # seconds in which a process that has lost its name lets go of its ports


def free_ports(count: int, avoid: Collection[int] = ()) -> list[int]:
    """`count` different ports that nobody listens on now.

    They lie below those that systems give to outgoing connections, so that none takes one while its server restarts.
    """
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind((LOOPBACK, SystemRandom().choice(FREE)))
                port = int(listener.getsockname()[1])
                ports += [port] if port not in avoid else []
        return ports


def is_open(port: int) -> bool:
    """Whether somebody listens on `port` and answers."""
    with socket.socket() as probe:
        probe.settimeout(3)
        return probe.connect_ex((LOOPBACK, port)) == 0


def refuses(port: int) -> bool:
    """Whether nobody listens on `port`; a listener that is slow to answer is one."""
    with socket.socket() as probe:
        probe.settimeout(3)
        return probe.connect_ex((LOOPBACK, port)) == errno.ECONNREFUSED


def require_free(port: int, setting: str) -> None:
    """Make sure that a server can listen on `port`; wait a moment where its holder is unknown, it may be ending.

    Raises:
        StackError: it cannot; the message names the port, its holder where that is known, and `setting`.
    """
    deadline = time.monotonic() + ENDING
    while error := _refusal(port):
        holder = _holder(port)
        if error.errno == errno.EADDRINUSE and not holder and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        why = f"is in use{holder}" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise StackError(f"Port {port} ({setting}) {why}.", f"Free it, or set {setting} to another port.")


def _refusal(port: int) -> OSError | None:
    """Why nobody can listen on `port`; None if one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError as error:
            return error
    return None


def _holder(port: int) -> str:
    """` by NAME (pid N)`, where this user may know it."""
    try:
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listening and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # it is a courtesy: the message stands without it
    return ""
