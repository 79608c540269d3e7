import os
import socket
import subprocess
from pathlib import Path

import pytest

from rainbow_assets.settings import Settings
from rainbow_assets.systems import scratch


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path))
    return Settings.load()


def test_a_folder_is_there_for_a_while(settings):
    with scratch.folder(settings, "dbt") as place:
        (place / "file").write_text("x")
        assert place.parent == settings.home / "tmp"
    assert not place.exists()


def test_only_the_folders_of_dead_processes_of_this_host_are_removed(settings):
    ended = subprocess.Popen(["true"])
    ended.wait()
    host = socket.gethostname()
    names = [f"dbt-{host}-{ended.pid}-aa", f"dbt-{host}-{os.getpid()}-bb", f"dbt-elsewhere-{ended.pid}-cc", "dbt"]
    for name in names:
        (settings.home / "tmp" / name / "inner").mkdir(parents=True)
    scratch.clear(settings)
    assert sorted(place.name for place in (settings.home / "tmp").iterdir()) == sorted(names[1:])


def test_nothing_to_clear_is_fine(settings):
    scratch.clear(settings)
