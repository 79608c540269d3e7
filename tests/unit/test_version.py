"""Which code this is, in a checkout and elsewhere."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rainbow_assets import version


def test_outside_of_a_checkout_it_is_the_version_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(version, "PROJECT_DIR", tmp_path)
    assert version.code_version() == version.package_version()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version.package_version())


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_in_a_checkout_it_is_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    monkeypatch.setattr(version, "PROJECT_DIR", tmp_path)
    git("init", "--quiet")
    assert version.code_version() == version.package_version(), "there is no commit yet"
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "--quiet", "-m", "one")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    assert version.code_version() == commit
    (tmp_path / "file").write_text("2")
    assert version.code_version() == f"{commit}-dirty"
