"""Starting the dashboard: a Streamlit server of its own, on loopback, that knows only what it needs.

Here: its options and its environment. Not here: what it serves (`server.py`, `app.py`).
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from rainbow_assets.dashboard.theme import OPTIONS as THEME
from rainbow_assets.environment import passed
from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import PREFIX, Settings
from rainbow_assets.stack.ports import LOOPBACK, require_free

FOLDER = "dashboard"  # below RAINBOW_HOME: the server's home, so that no file of settings is in its reach
NEEDED = ("clickhouse_url", "catalog_url", "environment", "start_date", "end_date", "allowed_hosts", "currency")
OPTIONS = {
    "server.address": LOOPBACK,
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "browser.gatherUsageStats": "false",
    "browser.serverAddress": LOOPBACK,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "logger.level": "error",
}


def require_installed() -> None:
    """Make sure that the extra is there.

    Raises:
        RainbowError: it is not.
    """
    if missing := [name for name in ("streamlit", "altair") if find_spec(name) is None]:
        raise RainbowError(
            f"The dashboard needs {' and '.join(missing)}, which is not installed.", "Run `make extras`."
        )


def run(settings: Settings, port: int) -> None:
    """Become the server; it ends with Ctrl-C.

    Raises:
        SettingsError: RAINBOW_CLICKHOUSE_URL is not set.
        StackError: the port is taken.
    """
    settings.secret("clickhouse_url")
    require_free(port, "--port")
    home = settings.home / FOLDER
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(home)
    os.execve(sys.executable, command(port), environment(settings, home))  # noqa: S606 - no shell


def command(port: int) -> list[str]:
    """The command line: all options are on it, none in a file."""
    app = str(Path(__file__).with_name("server.py"))
    options = OPTIONS | THEME | {"server.port": str(port), "browser.serverPort": str(port)}
    return [sys.executable, "-m", __package__, "run", app, *(f"--{name}={value}" for name, value in options.items())]


def environment(settings: Settings, home: Path) -> dict[str, str]:
    """The server's whole environment: the settings that it reads with, and no other secret of the caller's."""
    told = {name: value for name, value in passed(os.environ).items() if not name.startswith(PREFIX)}
    for field in NEEDED:
        value = getattr(settings, field)
        if value is not None:
            told[PREFIX + field.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return told | {f"{PREFIX}HOME": str(home), "HOME": str(home)}
