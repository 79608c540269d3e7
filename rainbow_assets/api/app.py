"""The application: routes, errors and connections put together, and what serves it."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from rainbow_assets.api import problems, routes
from rainbow_assets.api.limits import Limits
from rainbow_assets.api.patience import PatientProtocol
from rainbow_assets.api.pool import Pools
from rainbow_assets.api.service import OrderService
from rainbow_assets.guard import Guard
from rainbow_assets.version import package_version


def create_app(source_url: str, connections: int = 16, hosts: Collection[str] = ()) -> FastAPI:
    """The API on the shop at `source_url`, asked for by `hosts`; it connects when it is first asked."""
    pools = Pools(source_url, connections)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await pools.close()

    app = FastAPI(
        title="Rainbow API",
        description="The orders of the Rainbow shop.",
        version=package_version(),
        lifespan=lifespan,
        docs_url=None,  # these pages load their scripts from the internet
        redoc_url=None,
    )
    app.state.orders = OrderService(pools)
    app.add_middleware(Limits)
    app.add_middleware(Guard, hosts=hosts)  # the last one is the first that a request meets
    app.include_router(routes.router)
    problems.register(app)
    return app


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """What serves the API. Its own limits are off: `Limits` and `PatientProtocol` answer in the API's form."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PatientProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)
