"""The real stack for the integration tests: one a session, by the code of `rainbow up`, on free ports.

`stack` is the session's stack. `fresh_settings` gives a test its own databases, bucket and RAINBOW_HOME on the
servers of that stack. Both set RAINBOW_HOME (and what Dagster needs) in the environment, and `rainbow.env` in
that home holds the rest, so subprocesses find it too. Every pytest worker has its own stack.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from isolation import new_lake
from real_stack import start_stack, use_home

from rainbow_assets.settings import Settings
from rainbow_assets.stack import lifecycle
from rainbow_assets.stack.environment import dagster_environment


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A temporary directory of mode 700 with a short path, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """A running stack and its settings; down and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    with pytest.MonkeyPatch.context() as patch:
        try:
            settings = start_stack(patch, folder / "home")
            for name, value in dagster_environment(settings).items():
                patch.setenv(name, value)
            yield settings
        finally:
            use_home(patch, folder / "home")
            lifecycle.down(Settings.load())
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_settings(stack: Settings, monkeypatch: pytest.MonkeyPatch, short_dir: Path) -> Iterator[Settings]:
    """Settings of the test's own: empty databases and an empty bucket on the session's servers, a new home."""
    with new_lake(stack, monkeypatch, short_dir) as settings:
        yield settings


@pytest.fixture(scope="module")
def shared_settings(stack: Settings) -> Iterator[Settings]:
    """Settings as `fresh_settings`, for all tests of a module together."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp")).resolve()
    with pytest.MonkeyPatch.context() as patch, new_lake(stack, patch, folder) as settings:
        yield settings
    shutil.rmtree(folder, ignore_errors=True)
