"""The verbs that are live: api."""

from typing import Annotated

import typer


def api(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The API's port.")] = 8000,
    host: Annotated[
        str, typer.Option(help="The address to listen on. There is no login: think before it is another.")
    ] = "127.0.0.1",
    connections: Annotated[int, typer.Option(min=1, max=1000, help="The most connections to PostgreSQL.")] = 16,
) -> None:
    """Serve the shop's orders over HTTP, on loopback; Ctrl-C ends it."""
    import uvicorn

    from rainbow_assets.api.app import create_app
    from rainbow_assets.errors import DataError
    from rainbow_assets.settings import Settings
    from rainbow_assets.shop.schema import SETTING
    from rainbow_assets.stack.ports import require_free
    from rainbow_assets.systems.postgres import fetch

    url = Settings.load().secret("source_url")
    require_free(port, "--port")
    if fetch(url, SETTING, "SELECT to_regclass('orders') IS NULL") == [(True,)]:
        raise DataError("The shop has no orders table.", "`rainbow seed` makes and fills the shop.")
    typer.echo(f"Orders API on http://{host}:{port}, described by /docs and /openapi.json. Ctrl-C ends it.")
    uvicorn.run(
        create_app(url, connections),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
