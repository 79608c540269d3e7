"""The ordinary user that PostgreSQL runs as when root calls: PostgreSQL refuses root.

That user (`pgserver`, a system user without login) owns the data directory, mode 700, and nothing else. To
reach it and the PostgreSQL programs it must pass every directory above them, and `/root` or a fresh temporary
directory lets nobody pass. Such directories get the search permission (`o+x`) and never more: a name inside can
then be reached by who knows it, but not listed, and the files inside keep their own modes. Programs that were
installed under a umask of 077 also become readable (`o+rX`, the package's own files only).
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rainbow_assets.errors import StackError

NAME = "pgserver"


@dataclass(frozen=True)
class Account:
    """Who runs PostgreSQL: `uid` and `gid`, or nobody else than the caller where they are None."""

    uid: int | None = None
    gid: int | None = None

    def run(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], output: "IO[bytes] | int"
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run a command to its end as this account; `output` takes what it prints."""
        return subprocess.run(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def account_for(data: Path) -> Account:
    """The caller; for root the owner of `data`, or `pgserver` where there is no data yet."""
    if os.geteuid() != 0:
        return Account()
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    entry = _ensure_user()
    return Account(entry.pw_uid, entry.pw_gid)


def let_reach(account: Account, data: Path, program: Path) -> None:
    """Let `account` pass to `data` and run `program` (a file in `<package>/bin`).

    Raises:
        StackError: it still cannot.
    """
    if account.uid is None:
        return
    for path in (data, program):
        for parent in path.resolve().parents:
            _add_mode(parent, 0o001)
    if not _runs(account, program):
        for path in (program.parent.parent, *program.parent.parent.rglob("*")):
            if not path.is_symlink():
                runnable = path.is_dir() or path.stat().st_mode & 0o100
                _add_mode(path, 0o005 if runnable else 0o004)
        if not _runs(account, program):
            raise StackError(
                f"The user {pwd.getpwuid(account.uid).pw_name} cannot run {program}.",
                "Install the project where other users may read it, or run Rainbow as an ordinary user.",
            )


def _runs(account: Account, program: Path) -> bool:
    try:
        return account.run([str(program), "--version"], Path("/"), {}, subprocess.DEVNULL).returncode == 0
    except PermissionError:
        return False


def _add_mode(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode & 0o7777 | bits)


def _ensure_user() -> pwd.struct_passwd:
    """The entry of `pgserver`, which is created where it is missing; several processes may try at once."""
    reason = ""
    for _attempt in range(20):
        try:
            return pwd.getpwnam(NAME)
        except KeyError:
            command = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
            if command is None:
                reason = "there is no useradd"
                break
            made = subprocess.run(
                [command, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
                capture_output=True,
                text=True,
                check=False,
                umask=0o022,  # it writes /etc/passwd anew
            )
            reason = made.stderr.strip()
            time.sleep(0.1)
    raise StackError(
        f"PostgreSQL refuses to run as root, and the user {NAME} cannot be created: {reason}.",
        f"Create a system user {NAME}, or run Rainbow as an ordinary user.",
    )
