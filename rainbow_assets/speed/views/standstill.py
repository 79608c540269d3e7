"""Whether the live views stand still, as ClickHouse says (`v_watermark`): what PostgreSQL cannot tell.

Here: the question, and a way to ask it now and then from a process that lives long. Not here: what PostgreSQL tells
(`speed/capture/source.py`), or who hears of it (`ops/doctor`, `defs/automation/signs.py`).
"""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from rainbow_assets.errors import RainbowError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse

QUERY = (
    "SELECT ifNull(stands_still, ''), dateDiff('second', "
    "coalesce(live_until, (SELECT min(flushed_at) FROM speed_flushes)), now64(6)) FROM v_watermark"
)
WAIT = 2.0  # seconds that one question waits for an embedded ClickHouse that another process has
PATIENCE = 30.0  # seconds until an answer counts as none
OFTEN = 300.0  # seconds between two questions of one process


@dataclass(frozen=True)
class Standstill:
    """Why the views stand still, and for how many seconds; empty: they do not."""

    why: str = ""
    seconds: float = 0.0


_known: dict[str, tuple[float, Standstill]] = {}  # by ClickHouse's URL: when it was asked, what it said


def ask(settings: Settings) -> Standstill | None:
    """What ClickHouse says now; None: it cannot be asked, or another process has it open.

    What is wrong with ClickHouse itself is said by those who need it.
    """
    try:
        with clickhouse.connect(settings, WAIT) as client, clickhouse.errors(settings, "reading the watermark"):
            if client.command("EXISTS VIEW v_watermark") != 1:
                return Standstill()
            rows = client.query(QUERY).result_rows
    except RainbowError:
        return None
    return next((Standstill(why, float(seconds or 0)) for why, seconds in rows if why), Standstill())


def lately(settings: Settings) -> Standstill:
    """As `ask`, at most minutes old; where it cannot be asked, what was known before.

    In a process of its own: an embedded ClickHouse keeps some memory each time that it is opened, and a server that
    hangs holds nobody up.
    """
    url = settings.secret("clickhouse_url")
    asked, known = _known.get(url, (None, Standstill()))
    if asked is not None and time.monotonic() - asked < OFTEN:
        return known
    found = _ask_apart(settings)
    if found is not None:
        _known[url] = time.monotonic(), found
    return found or known


def _ask_apart(settings: Settings) -> Standstill | None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, settings), daemon=True, name="rainbow standstill")
    process.start()
    theirs.close()
    try:
        found: Standstill | None = ours.recv() if ours.poll(PATIENCE) else None
    except EOFError:
        found = None
    finally:
        process.kill()
        process.join()
        ours.close()
    return found


def _answer(pipe: Connection, settings: Settings) -> None:
    pipe.send(ask(settings))
