"""Maintenance of logs: those of runs, and Dagster's compute logs.

Not here: the logs of the servers, which they hold open.
"""

from collections.abc import Iterator
from pathlib import Path

from rainbow_assets.ops.maintain.plan import Plan, Step

HELD_OPEN = {"postgres.log", "seaweedfs.log"}


def maintain_logs(plan: Plan) -> Iterator[Step]:
    """Delete what was last written before the time to keep, and the folders that it leaves empty."""
    home = plan.settings.home
    own = [path for path in (home / "logs").glob("*") if path.name not in HELD_OPEN]
    yield _delete(plan, home / "logs", own)
    storage = home / "dagster" / "storage"
    yield _delete(plan, storage, list(storage.glob("*/compute_logs/*")))


def _delete(plan: Plan, folder: Path, paths: list[Path]) -> Step:
    limit = plan.older_than.timestamp()
    old = sorted(path for path in paths if path.is_file() and path.stat().st_mtime < limit)
    if not plan.is_dry:
        for path in old:
            path.unlink(missing_ok=True)
        parents = {parent for path in old for parent in path.parents if folder in parent.parents}
        for parent in sorted(parents, reverse=True):  # the deepest first
            if not any(parent.iterdir()):
                parent.rmdir()
    return Step(str(folder), "logs deleted", [str(path.relative_to(folder)) for path in old])
