"""What the parts of maintenance share: how long things are kept, and what was done.

Not here: any of the work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rainbow_assets.settings import Settings

# A file of late may belong to a transaction that is not committed yet, or to a query that still reads it.
GRACE = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """One piece of work: where, what, and the files or snapshots that it was done to."""

    where: str
    what: str
    items: list[str]


@dataclass(frozen=True)
class Plan:
    """Snapshots and logs go that are older than `keep`; `is_dry`: tell only; `say` hears what is being done."""

    settings: Settings
    now: datetime
    keep: timedelta
    is_dry: bool
    say: Callable[[str], None]

    @property
    def older_than(self) -> datetime:
        """What is older may go."""
        return self.now - self.keep

    @property
    def unused_since(self) -> datetime:
        """A file that nothing refers to since then may go."""
        return self.now - min(self.keep, GRACE)
