"""The verbs of what is live: dashboard."""

from typing import Annotated

import typer


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The page's port, on loopback.")] = 8501,
) -> None:
    """The dashboard: sales and health, on loopback; Ctrl-C ends it."""
    from rainbow_assets.dashboard import serve
    from rainbow_assets.settings import Settings

    serve.require_installed()
    serve.run(Settings.load(), port)
