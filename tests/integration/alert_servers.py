"""The other side of the channels, on loopback: a mail server with real TLS, and an HTTP endpoint."""

import base64
import shutil
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

USER, PASSWORD = "rainbow", "mail-p@ss word"


def certificate(folder: Path, name: str = "localhost") -> Path:
    """A self-signed certificate with its key, for `name`, in one file."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl command to make a certificate")
    made = folder / f"{name}.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(made), "-out", str(folder / "cert")]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(["openssl", "req", *kind, *files, *names], check=True, capture_output=True)
    made.write_text(made.read_text() + (folder / "cert").read_text())
    return made


@dataclass
class MailBox:
    """What the mail server took, and how it behaves."""

    certificate: Path
    implicit: bool = False  # TLS from the first byte
    offers_tls: bool = True
    mute: bool = False  # accepts the connection and says nothing
    drip: bool = False  # each line in time, but without end
    refused: set[str] = field(default_factory=set)
    letters: list[EmailMessage] = field(default_factory=list)
    in_clear: list[bytes] = field(default_factory=list)  # every line that came before TLS
    port: int = 0


class _Mail(socketserver.StreamRequestHandler):
    server: "_MailServer"

    def handle(self) -> None:
        box = self.server.box
        if box.mute:
            time.sleep(30)
            return
        self.secure = False
        try:
            if box.implicit:
                self._encrypt()
            self._talk(box)
        except OSError:  # the client is gone, or trusts no such certificate
            return

    def _talk(self, box: MailBox) -> None:  # noqa: C901 - a case a verb
        if box.drip:
            while True:
                self._say("220-wait")
                time.sleep(0.2)
        self._say("220 test")
        authenticated = False
        while line := self.rfile.readline():
            if not self.secure:
                box.in_clear.append(line)
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    starttls = ["250-STARTTLS"] if box.offers_tls and not self.secure else []
                    self._say("250-test", *starttls, "250 AUTH PLAIN")
                case "STARTTLS":
                    self._say("220 go")
                    self._encrypt()
                case "AUTH":
                    given = base64.b64decode(rest.split()[-1]).decode()
                    authenticated = given == f"\0{USER}\0{PASSWORD}"
                    self._say("235 welcome" if authenticated else f"535 no {given!r}")
                case "MAIL":
                    self._say("250 ok" if authenticated else "530 log in first")
                case "RCPT":
                    address = rest.partition("<")[2].partition(">")[0]
                    self._say("550 unknown" if address in box.refused else "250 ok")
                case "DATA":
                    self._say("354 go")
                    body = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        body += part
                    box.letters.append(message_from_bytes(body, policy=policy.default))
                    self._say("250 ok")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        self.wfile.flush()

    def _encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.box.certificate)
        self.request = context.wrap_socket(self.request, server_side=True)
        self.connection = self.request
        self.setup()
        self.secure = True


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    box: MailBox

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


@contextmanager
def mail_server(box: MailBox) -> Iterator[MailBox]:
    with _MailServer(("127.0.0.1", 0), _Mail) as server:
        server.box, box.port = box, server.server_address[1]
        yield from _serve(server, box)


@dataclass
class Endpoint:
    """What was posted to the HTTP endpoint; `answers`: the status of each post, 200 after the last."""

    posts: list[tuple[str, str, bytes]] = field(default_factory=list)  # path, content type, body
    answers: list[int] = field(default_factory=list)
    mute: bool = False
    port: int = 0


class _Post(BaseHTTPRequestHandler):
    server: "_HttpServer"

    def do_POST(self) -> None:
        endpoint = self.server.endpoint
        body = self.rfile.read(int(self.headers["Content-Length"]))
        endpoint.posts.append((self.path, self.headers["Content-Type"], body))
        if endpoint.mute:
            time.sleep(30)
        status = endpoint.answers.pop(0) if endpoint.answers else 200
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.endpoint.posts.append((self.path, "", b""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
        """Nothing: the test reads what came."""


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    endpoint: Endpoint


@contextmanager
def http_server(endpoint: Endpoint, tls: Path | None = None) -> Iterator[Endpoint]:
    with _HttpServer(("127.0.0.1", 0), _Post) as server:
        server.endpoint, endpoint.port = endpoint, server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        yield from _serve(server, endpoint)


def _serve(server: socketserver.BaseServer, side: object) -> Iterator[object]:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield side
    finally:
        server.shutdown()
