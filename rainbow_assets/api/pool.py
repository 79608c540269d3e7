"""Connections to the shop that are kept open between requests.

Here: how many there are, how each is set up, and that one which PostgreSQL has closed is replaced. Not here: what is
done in a transaction (`unit_of_work.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from rainbow_assets.errors import SettingsError, TransientError
from rainbow_assets.shop.schema import SETTING
from rainbow_assets.systems import postgres_session
from rainbow_assets.systems.postgres_errors import connection_error

APPLICATION = "rainbow api"
PATIENCE = 10.0  # seconds that a request waits for a connection that is free
# Nothing waits without end: not for a lock, not in a statement, not in a transaction that was forgotten.
SETUP = """
SET lock_timeout = '5s';
SET statement_timeout = '10s';
SET idle_in_transaction_session_timeout = '30s'
"""


class Pool:
    """At most `size` connections; each is opened when it is first needed, and the one used last is taken first."""

    def __init__(self, url: str, size: int) -> None:
        """Connect to nothing yet; `url` is the shop, `postgresql://…`."""
        self._url, self._size = url, size
        self._places: asyncio.LifoQueue[AsyncConnection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._places.put_nowait(None)

    @asynccontextmanager
    async def begun(self, begin: str) -> AsyncIterator[AsyncConnection]:
        """A connection on which `begin` was just said, which also shows that it lives. The block ends what it began.

        Raises:
            TransientError: the server does not answer, or all connections stay busy.
            SettingsError: it refuses the user, or has no such database.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                connection = await self._places.get()
        except TimeoutError:
            raise TransientError(f"All {self._size} connections to the shop are busy.", "Try again.") from None
        try:
            if connection is None or not await _begins(connection, begin):
                connection = await self._open()
                await connection.execute(SETUP)
                await connection.execute(begin.encode())
            yield connection
        finally:
            is_idle = connection is not None and connection.info.transaction_status == TransactionStatus.IDLE
            if connection and not is_idle:
                await connection.close()
            self._places.put_nowait(connection if is_idle else None)

    async def _open(self) -> AsyncConnection:
        fields = postgres_session.parameters(self._url, SETTING, APPLICATION)
        try:
            connection = await AsyncConnection.connect(
                make_conninfo(**fields | {"connect_timeout": "5"}), autocommit=True
            )
        except psycopg.OperationalError as error:
            raise connection_error(str(error), SETTING) from None
        try:
            postgres_session.check(connection.info, SETTING, APPLICATION)
        except SettingsError:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while not self._places.empty():
            if connection := self._places.get_nowait():
                await connection.close()


class Pools:
    """The connections of readers and those of writers: who reads never waits for orders that wait for each other."""

    def __init__(self, url: str, size: int) -> None:
        """Half of `size` each, at least one."""
        self.readers, self.writers = Pool(url, max(1, size // 2)), Pool(url, max(1, size - size // 2))

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        await self.readers.close()
        await self.writers.close()


async def _begins(connection: AsyncConnection, begin: str) -> bool:
    """Say `begin`; False where PostgreSQL was restarted meanwhile, or ended the session."""
    try:
        await connection.execute(begin.encode())
    except psycopg.OperationalError:
        await connection.close()
        return False
    return True
