"""TLS before a PostgreSQL that was built without it: speaks PostgreSQL's SSLRequest, then passes the bytes on."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SSL_REQUEST = (80877103).to_bytes(4, "big")
GSS_REQUEST = (80877104).to_bytes(4, "big")


@dataclass
class Proxy:
    """`encrypted` and `plain`: the names of the clients that connected in this way."""

    port: int = 0
    encrypted: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)


@contextmanager
def tls_proxy(target: int, pem: Path) -> Iterator[Proxy]:
    """A proxy on a free port of 127.0.0.1, before the server on the port `target`, with the certificate in `pem`."""
    proxy = Proxy()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            told = proxy.plain
            head = _exactly(client, 8)
            while head[4:] in (SSL_REQUEST, GSS_REQUEST):
                client.sendall(b"S" if head[4:] == SSL_REQUEST else b"N")
                if head[4:] == SSL_REQUEST:
                    client = context.wrap_socket(client, server_side=True)
                    told = proxy.encrypted
                head = _exactly(client, 8)
            rest = _exactly(client, int.from_bytes(head[:4], "big") - 8)
            if (words := rest.split(b"\0")) and b"user" in words:
                told.append(words[words.index(b"user") + 1].decode())
            with socket.create_connection(("127.0.0.1", target)) as server:
                server.sendall(head + rest)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(10)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, _request: object, _address: object) -> None:
            """A client that does not trust the certificate goes away; that is what is tested."""

    with Server(("127.0.0.1", 0), Connection) as server:
        proxy.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise ConnectionError("the client went away")
        data += more
    return data


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
