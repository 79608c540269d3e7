"""Counting what a lake asks of the object store: a relay before it that notes each request's method.

Here: the relay. Not here: who asks.
"""

import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rainbow_assets.stack.ports import LOOPBACK

REQUEST = re.compile(
    rb"^(GET|HEAD|PUT|POST|DELETE) \S+ HTTP/1\.1\r\n"
)  # clients send one at a time, each in a new piece


@dataclass
class Counted:
    """A store's address that counts: requests by method, since the last `take`."""

    endpoint: str
    methods: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, piece: bytes) -> None:
        """Hear what a client sends."""
        if found := REQUEST.match(piece):
            with self.lock:
                self.methods[found[1].decode()] += 1

    def take(self) -> Counter[str]:
        """The requests since the last time."""
        with self.lock:
            methods, self.methods = self.methods, Counter()
        return methods


@contextmanager
def counting(port: int) -> Iterator[Counted]:
    """A relay to the store on this loopback port."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((LOOPBACK, port)) as store:
                answers = threading.Thread(target=_copy, args=(store, self.request, None), daemon=True)
                answers.start()
                _copy(self.request, store, counted)
                answers.join()

    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Relay) as server:
        server.daemon_threads, server.block_on_close = True, False
        counted = Counted(f"http://{LOOPBACK}:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield counted
        finally:
            server.shutdown()


def _copy(source: socket.socket, target: socket.socket, counted: Counted | None) -> None:
    """Pass on what comes until its end; a side that breaks off ends the other."""
    try:
        while piece := source.recv(1 << 18):
            if counted:
                counted.note(piece)
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()
