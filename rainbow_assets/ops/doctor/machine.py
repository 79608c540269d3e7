"""What the doctor asks of the machine itself: memory, free space, and whether its clock is that of the servers.

Not here: the parts that the settings name (`ops/doctor`).
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from rainbow_assets.errors import RainbowError
from rainbow_assets.machine import NEEDED, machine
from rainbow_assets.settings import PREFIX, Settings

FREE_SPACE = 2_000_000_000  # bytes; a demo takes less than half of it
# Between two clocks. S3 refuses requests from 15 minutes on; a day's last rows are judged by both clocks long before.
APART = timedelta(seconds=30)


def memory(_settings: Settings) -> str:
    """What may be used, and what the engines get of it.

    Raises:
        RainbowError: it is less than they need together.
    """
    found = machine()
    of = "allowed to this container" if found.limited else "on this machine"
    if not found.suffices:
        raise RainbowError(
            f"Only {found.memory / 1e9:,.2f} GB are {of}, and a run beside the stream may need {NEEDED / 1e9:,.2f}: "
            "the kernel would kill it.",
            "Give it more memory.",
        )
    shares = {
        "each of two DuckDBs": found.duckdb,
        "the embedded ClickHouse": found.clickhouse,
        "Java": found.java,
    }
    engines = ", ".join(f"{share / 1e9:,.1f} GB for {name}" for name, share in shares.items())
    return f"{found.memory / 1e9:,.1f} GB and {found.cpus:g} processors {of}: at most {engines}"


def disk(settings: Settings) -> str:
    """There is room where the stack writes.

    Raises:
        RainbowError: too little.
    """
    folder = next(place for place in (settings.home, *settings.home.parents) if place.exists())
    free = shutil.disk_usage(folder).free
    if free < FREE_SPACE:
        hint = "Free some, or set RAINBOW_HOME to a larger disk."
        raise RainbowError(f"Only {free / 1e9:.1f} GB are free at {folder}.", hint)
    return f"{free / 1e9:,.0f} GB free at {folder}"


def clock(settings: Settings) -> str:
    """The clocks of this machine, the source and the object store agree; of what does not answer others tell.

    Raises:
        RainbowError: they do not.
    """
    apart = dict(_differences(settings))
    if wrong := {name: by for name, by in apart.items() if abs(by) > APART}:
        told = ", ".join(
            f"{abs(by).total_seconds():,.0f} s {'behind' if by > timedelta(0) else 'ahead of'} {name}"
            for name, by in wrong.items()
        )
        hint = "Set the clocks by NTP: days end by them, and an object store refuses requests of another time."
        raise RainbowError(f"This machine's clock is {told}.", hint)
    return f"as that of {' and '.join(apart)}" if apart else "no other clock answers"


def _differences(settings: Settings) -> Iterator[tuple[str, timedelta]]:
    """How far each server's clock is ahead of this machine's."""
    from rainbow_assets.systems import object_store, postgres

    with suppress(RainbowError):
        began = datetime.now(UTC)
        query = "SELECT clock_timestamp()"
        ((told,),) = postgres.fetch(settings.secret("source_url"), f"{PREFIX}SOURCE_URL", query)
        yield "the source", _ahead(told, began)
    with suppress(RainbowError):
        client, began = object_store.client(settings), datetime.now(UTC)
        told = object_store.date_of(client, settings.s3_bucket)
        yield "the object store", _ahead(parsedate_to_datetime(told), began)


def _ahead(told: datetime, began: datetime) -> timedelta:
    """`told` against this machine's time when it was told: between `began` and now."""
    now = datetime.now(UTC)
    return max(told - now, timedelta(0)) or min(told - began, timedelta(0))
