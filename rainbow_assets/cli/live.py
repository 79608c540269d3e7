"""The verbs of what is live: api, stream, dashboard."""

from typing import Annotated

import typer


def api(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The API's port.")] = 8000,
    host: Annotated[
        str, typer.Option(help="The address to listen on. There is no login: think before it is another.")
    ] = "127.0.0.1",
    connections: Annotated[
        int, typer.Option(min=2, max=1000, help="The most connections to PostgreSQL: half to read, half to write.")
    ] = 16,
) -> None:
    """Serve the shop's orders over HTTP, on loopback; Ctrl-C ends it."""
    from rainbow_assets.api.app import create_app, server
    from rainbow_assets.errors import DataError
    from rainbow_assets.settings import Settings
    from rainbow_assets.shop.schema import SETTING
    from rainbow_assets.stack.ports import require_free
    from rainbow_assets.systems.postgres import fetch

    settings = Settings.load()
    url = settings.secret("source_url")
    require_free(port, "--port")
    if fetch(url, SETTING, "SELECT to_regclass('orders') IS NULL") == [(True,)]:
        raise DataError("The shop has no orders table.", "`rainbow seed` makes and fills the shop.")
    typer.echo(f"Orders API on http://{host}:{port}, described by /openapi.json. Ctrl-C ends it.")
    server(create_app(url, connections, [*settings.host_names, host]), host, port).run()


def stream(
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when all is read that the source held at the start.")
    ] = False,
) -> None:
    """Read the source's changes from its log into ClickHouse, as they are committed, until it is stopped.

    The first time, all tables are copied. It goes on where it stopped, however it stopped.
    """
    from rich.console import Console

    from rainbow_assets.redact import redact
    from rainbow_assets.settings import Settings
    from rainbow_assets.speed.capture.sink import Flushed
    from rainbow_assets.speed.capture.stream import run
    from rainbow_assets.speed.views.refresh import catch_up

    console, total = Console(stderr=True, highlight=False, emoji=False), 0
    with console.status("starting", spinner="line") as status:  # shown on a terminal only

        def say(line: str) -> None:
            console.print(redact(line), markup=False, soft_wrap=True)

        def show(flushed: Flushed) -> None:
            nonlocal total
            total += flushed.changes
            status.update(f"{total:,} changes, {flushed.lag_seconds:.1f} s behind")

        run(Settings.load(), say, show, until_caught_up=until_caught_up, after_flush=catch_up)
    console.print(f"The stream has ended: {total:,} changes.")


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The page's port, on loopback.")] = 8501,
) -> None:
    """The dashboard: sales and health, on loopback; Ctrl-C ends it."""
    from rainbow_assets.dashboard import serve
    from rainbow_assets.settings import Settings

    serve.require_installed()
    serve.run(Settings.load(), port)
