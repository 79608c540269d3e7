"""One transaction on the shop, and the repositories within it.

Here: all or nothing, and the second try after a conflict with another transaction. Not here: SQL on tables
(`repositories.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from psycopg import AsyncConnection, errors

from rainbow_assets.api.pool import Pool
from rainbow_assets.api.repositories import Buyers, Keys, Orders, Stock
from rainbow_assets.errors import TransientError

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"  # one moment, however many statements
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"  # sees what it waited for, under the locks
TRIES = 5
PAUSE = 0.02  # seconds, more after each try
# PostgreSQL has undone the transaction for sure. A key that is taken: somebody wrote orders with ids of their own
# (`rainbow simulate` does); the next id may be free.
CONFLICTS = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)

Answer = TypeVar("Answer")
log = logging.getLogger("uvicorn.error")


class UnitOfWork:
    """What can be read and written within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        """On a connection with a transaction that is open."""
        self.buyers = Buyers(connection)
        self.keys = Keys(connection)
        self.orders = Orders(connection)
        self.stock = Stock(connection)


async def within(pool: Pool, begin: str, work: Callable[[UnitOfWork], Awaitable[Answer]]) -> Answer:
    """Do `work` in one transaction: it is committed when `work` returns, and undone when it raises.

    Raises:
        TransientError: the server does not answer, or conflicts with other transactions do not end.
        SettingsError: it refuses the user, or has no such database.
        psycopg.Error: a statement failed, or the server went away meanwhile.
    """
    taken = ""
    for attempt in range(TRIES):
        try:
            async with pool.begun(begin) as connection:
                try:
                    answer = await work(UnitOfWork(connection))
                except BaseException:
                    if not connection.broken:
                        await connection.rollback()
                    raise
                await connection.commit()
                return answer
        except CONFLICTS as error:
            before, taken = taken, error.diag.constraint_name or "" if isinstance(error, errors.UniqueViolation) else ""
            if taken and not before:  # a word in time: once five in a row are taken, orders fail
                said = "The next id of %s is taken: somebody wrote rows with ids of their own. See `rainbow doctor`."
                log.warning(said, taken)
            await asyncio.sleep(PAUSE * attempt)
    if taken:
        hint = "The sequence lies behind the table; `rainbow doctor` says how to mend it."
        raise TransientError(f"The next ids of {taken} are taken, {TRIES} in a row.", hint)
    raise TransientError("The shop is busy: other transactions were in the way.", "Try again.")
