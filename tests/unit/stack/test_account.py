"""The ordinary user of PostgreSQL: what it is let into, and nothing more."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rainbow_assets.errors import StackError
from rainbow_assets.stack.account import Account, account_for, let_reach

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def package() -> Iterator[Path]:
    """`bin/program`, installed under a umask of 077, in a directory that nobody else may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    program = folder / "package" / "bin" / "program"
    program.parent.mkdir(parents=True)
    (program.parent.parent / "share").mkdir()
    (program.parent.parent / "share" / "text").write_text("x")
    program.write_text("#!/bin/sh\ncat $(dirname $0)/../share/text\n")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() or path == program else 0o600)
    yield program
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs another user")
def test_an_ordinary_user_is_its_own(tmp_path: Path):
    assert account_for(tmp_path) == Account()


@root
def test_root_takes_the_owner_of_the_data(tmp_path: Path):
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    assert account_for(tmp_path) == Account(nobody.pw_uid, nobody.pw_gid)
    assert account_for(tmp_path / "missing").uid == pwd.getpwnam("pgserver").pw_uid


@root
def test_only_the_way_is_opened(package: Path):
    account = account_for(Path("/missing"))
    home = package.parents[2] / "home"
    (home / "postgres").mkdir(parents=True)
    (home / "beside").mkdir(mode=0o700)
    home.chmod(0o700)
    let_reach(account, home / "postgres", package)
    assert mode(package.parents[2]) == 0o701
    assert mode(home) == 0o701
    assert mode(home / "beside") == 0o700
    done = account.run([str(package)], Path("/"), {"PATH": "/usr/bin:/bin"}, subprocess.DEVNULL)
    assert done.returncode == 0


@root
def test_what_cannot_be_run_is_an_error(package: Path):
    package.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(StackError, match="cannot run"):
        let_reach(account_for(Path("/missing")), package, package)
