"""The live views as the companion of the batch views: a publication and what the log adds to it are seen in one moment.

Here: what happens before and after the switch. Not here: the switch (`serving/publish.py`), the parts (`views/`).
"""

from collections.abc import Sequence
from pathlib import Path

from clickhouse_connect.driver.client import Client

from rainbow_assets.serving.tables import Agreement, Served
from rainbow_assets.speed import tables
from rainbow_assets.speed.views import agreement, define, prune
from rainbow_assets.speed.views.refresh import SUPPORT, catch_up, refresh


class LiveViews:
    """A `Companion` of `serving.publish`."""

    support: Sequence[Served] = SUPPORT
    views: Sequence[str] = define.VIEWS

    def prepare(self, client: Client) -> None:
        """Make the speed layer's tables where they are missing."""
        tables.prepare(client)

    def stage(self, client: Client, publication: int, manifest: str) -> None:
        """Make the speed part of a publication that nobody sees yet; keep what the views say until then."""
        catch_up(client)  # before and after are compared by the same flush
        refresh(client, publication, manifest)
        define.define(client)
        agreement.keep(client)

    def compare(self, client: Client) -> Agreement:
        """The days of which the views say otherwise than before the switch."""
        return agreement.compare(client)

    def follow(self, client: Client) -> None:
        """Take in what was flushed during the publication, and drop the changes that it covers."""
        catch_up(client)
        prune.covered(client)

    def code(self) -> Sequence[Path]:
        """The speed layer's own code and SQL."""
        return [path for kind in ("py", "sql") for path in Path(__file__).parent.glob(f"**/*.{kind}")]
