"""The application: routes, errors and connections put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from rainbow_assets.api import problems, routes
from rainbow_assets.api.limits import BodyLimit
from rainbow_assets.api.pool import Pool
from rainbow_assets.api.service import OrderService
from rainbow_assets.version import package_version


def create_app(source_url: str, connections: int = 16) -> FastAPI:
    """The API on the shop at `source_url`; it connects when it is first asked."""
    pool = Pool(source_url, connections)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await pool.close()

    app = FastAPI(
        title="Rainbow API",
        description="The orders of the Rainbow shop.",
        version=package_version(),
        lifespan=lifespan,
        docs_url=None,  # these pages load their scripts from the internet
        redoc_url=None,
    )
    app.state.orders = OrderService(pool)
    app.add_middleware(BodyLimit)
    app.include_router(routes.router)
    problems.register(app)
    return app
