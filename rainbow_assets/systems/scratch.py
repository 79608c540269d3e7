"""Folders of running processes below `$RAINBOW_HOME/tmp`: each names its host and process, and goes with it.

Here: making one, and removing those whose process was killed. Not here: what is written there.
"""

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from rainbow_assets.settings import Settings


def path(settings: Settings, name: str) -> Path:
    """A path that nobody else uses; its parent is there."""
    parent = settings.home / "tmp"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return parent / f"{name}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def folder(settings: Settings, name: str) -> Iterator[Path]:
    """A new folder, removed at the end."""
    place = path(settings, name)
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def clear(settings: Settings) -> None:
    """Remove the folders of this host's processes that have ended."""
    for place in (settings.home / "tmp").glob(f"*-{socket.gethostname()}-*-*"):
        pid = place.name.rsplit("-", 2)[1]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(place, ignore_errors=True)
