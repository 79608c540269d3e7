"""The stack's credentials: private, strong, made once."""

import stat
from pathlib import Path

import pytest

from rainbow_assets.errors import StackError
from rainbow_assets.stack import credentials


def test_made_once_and_private(tmp_path: Path):
    first = credentials.ensure(tmp_path)
    assert credentials.ensure(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    values = list(vars(first).values())
    assert len(set(values)) == len(values)
    assert min(len(value) for value in values) >= 20
    assert values[0] not in repr(first)


def test_damaged_or_lost_credentials_are_never_replaced(tmp_path: Path):
    (tmp_path / "credentials.json").write_text("{")
    with pytest.raises(StackError, match="damaged"):
        credentials.ensure(tmp_path)
    (tmp_path / "credentials.json").unlink()
    (tmp_path / "postgres").mkdir()
    with pytest.raises(StackError, match="missing"):
        credentials.ensure(tmp_path)


def test_write_private_replaces_the_whole_file(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("old and longer")
    file.chmod(0o644)
    credentials.write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
