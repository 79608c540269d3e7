"""fsck: whether the object store, Iceberg and DuckLake tell the same of every landing file.

Here: the order of looking and mending. Not here: evidence (`evidence.py`, `content.py`), verdicts
(`findings.py`) and the mending itself (`repair.py`).

A table in which something is found is looked at again under the locks of its runs: what a run had half done is whole
then, and nothing changes while it is mended.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from rainbow_assets.landing.files import PREFIX
from rainbow_assets.raw.fsck.content import Content
from rainbow_assets.raw.fsck.evidence import Survey, Systems, stored, survey
from rainbow_assets.raw.fsck.findings import Finding, Kind
from rainbow_assets.raw.fsck.repair import mend
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES, SourceTable


@dataclass
class Result:
    """What was looked at and found. `unverified`: files without a checksum that can be repeated."""

    files: int = 0
    unverified: int = 0
    mended: list[Finding] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)


def fsck(
    settings: Settings,
    say: Callable[[str], None],
    *,
    repair: bool = False,
    forget_missing: bool = False,
    quick: bool = False,
) -> Result:
    """Compare store and catalogs; `repair` mends what can be mended without loss, `quick` opens no file.

    `forget_missing`: a repair also takes files out of the catalogs that are not in the store.

    Raises:
        TransientError: a system does not answer.
    """
    result = Result()
    with ducklake.connect(settings) as connection:
        s3 = object_store.client(settings)
        systems = Systems(settings, connection, iceberg.connect(settings), s3, not quick, say)
        found, strangers = stored(systems, f"{PREFIX}/")
        result.left += [
            Finding(
                Kind.foreign, "", uri, "no landing file of a table", "left: move it out of raw/, if it is not yours."
            )
            for uri in strangers
        ]
        for table in TABLES.values():
            look = survey(systems, table, {file: size for file, size in found.items() if file.table == table.name})
            if look.findings:
                with _locked(settings, table, repair):
                    look = _look_again(systems, table, repair, forget_missing, result)
            result.left += look.findings
            held = [item for item in look.evidence if item.size is not None]
            result.files += len(held)
            contents = [item.content for item in held if isinstance(item.content, Content)]
            result.unverified += sum(not content.is_verifiable for content in contents)
    return result


def _look_again(systems: Systems, table: SourceTable, repair: bool, forget_missing: bool, result: Result) -> Survey:
    """The table as it is under the locks, after the repair if there is one; what that mended goes to `result`."""
    prefix = f"{PREFIX}/{table.name}/"
    look = survey(systems, table, stored(systems, prefix)[0])
    if not (repair and look.findings):
        return look
    systems.say(f"{table.name}, mending")
    mend(systems, table, look, forget_missing)
    after = survey(systems, table, stored(systems, prefix)[0])
    places = {(finding.kind, finding.where) for finding in after.findings}
    result.mended += [finding for finding in look.findings if (finding.kind, finding.where) not in places]
    return after


@contextmanager
def _locked(settings: Settings, table: SourceTable, repair: bool) -> Iterator[None]:
    """Keep the runs of landing and raw away from the table, and builds from a repair; waits for one that is at it."""
    names = [*(["warehouse"] if repair else []), f"landing.{table.name}", f"raw.{table.name}"]  # always in this order
    with ExitStack() as held:
        for name in names:
            held.enter_context(postgres.lock(settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", name))
        yield
