"""`python -m rainbow_assets.ui.part NAME …`: one of Dagster's own programs, as long as the one that started it lives.

Here: the guard before its web server, and the end of a part whose parent is gone. Not here: which parts there are
(`serve.py`).
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from starlette.types import ASGIApp

from rainbow_assets.guard import Guard
from rainbow_assets.settings import Settings
from rainbow_assets.ui.documents import Documents

WEBSERVER = "dagster-webserver"
CREATE = "create_app_from_workspace_process_context"  # what its command line calls
GRACE = 5.0  # seconds between the request to end and the end


def main() -> None:
    """Become the program that the first argument names; the standard input is the parent's life."""
    name, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if name == WEBSERVER:
        _put_guard()
    [script] = entry_points(group="console_scripts", name=name)
    sys.argv = [name, *arguments]
    sys.exit(script.load()())


def _put_guard() -> None:
    """Have Dagster's web server serve its app behind the guard."""
    import dagster_webserver.cli as webserver

    create: Callable[..., ASGIApp] = getattr(webserver, CREATE)
    hosts = Settings.load().host_names

    def guarded(*arguments: Any, **options: Any) -> ASGIApp:  # noqa: ANN401 - Dagster's own
        app = Documents(create(*arguments, **options))
        return Guard(app, hosts, json_only=True, no_query={"/graphql"})

    setattr(webserver, CREATE, guarded)


def _end_with_parent() -> None:
    """End this part and its children when the other end of the standard input is closed, however that came."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
