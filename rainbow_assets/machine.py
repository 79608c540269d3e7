"""What this machine lets Rainbow use: memory and processors, by the container's limits where it has any.

A container sees the host's memory, and the kernel kills what takes more than its cgroup allows. Here: the limits, and
how engines share the memory. Not here: free space and clocks (`ops/doctor/machine.py`).
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 2**20
CGROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# What the processes take beside the engines' own work: Python with the graph and with dbt, PostgreSQL, the S3 server.
BASE = 1024 * MIB
LEAST = 256 * MIB  # with less an engine does nothing; it spills to disk with it
LEAST_JAVA, JAVA = 128 * MIB, 512 * MIB  # Debezium's queue is bounded in bytes: more helps nothing
# The build (dbt) and the run that waits for it have a DuckDB each, and either may be full: what was read stays cached.
NEEDED = BASE + 2 * LEAST + LEAST + LEAST_JAVA


@dataclass(frozen=True)
class Machine:
    """`memory` in bytes and `cpus`, as they may be used; `limited` where that is a cgroup's doing."""

    memory: int
    cpus: float
    limited: bool = False

    @property
    def java(self) -> int:
        """Bytes for Java's heap."""
        return min(JAVA, LEAST_JAVA + self._spare // 8)

    @property
    def duckdb(self) -> int:
        """Bytes for one DuckDB, of which there are two: two fifths each of what is left."""
        return LEAST + self._left * 2 // 5

    @property
    def clickhouse(self) -> int:
        """Bytes for the embedded ClickHouse: the last fifth."""
        return LEAST + self._left // 5

    @property
    def suffices(self) -> bool:
        """Whether all of it together fits: below that every engine has its least, and the kernel may kill a run."""
        return self.memory >= NEEDED

    @property
    def _spare(self) -> int:
        return max(0, self.memory - NEEDED)

    @property
    def _left(self) -> int:
        """What goes to the engines beyond their least, after Java."""
        return self._spare - (self.java - LEAST_JAVA)


def machine(cgroups: Path = CGROUPS, own: Path = OWN) -> Machine:
    """The machine of this process; `cgroups` is where they are mounted, `own` says which are this process's."""
    total = psutil.virtual_memory().total
    cpus = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    allowed = min((limit for limit in _memory_limits(cgroups, own) if limit > 0), default=total)
    quota = min(_cpu_limits(cgroups, own), default=cpus)
    return Machine(min(allowed, total), min(quota, cpus), allowed < total or quota < cpus)


def _memory_limits(cgroups: Path, own: Path) -> Iterator[int]:
    """Each limit on the way from this process's cgroup to the root: a child's may be larger than its parent's."""
    for folder in _folders(cgroups, own, "memory"):
        # Version 2, its soft sibling beyond which the kernel slows everything down, and version 1.
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            if (told := _read(folder / name)).isdecimal():
                yield int(told)


def _cpu_limits(cgroups: Path, own: Path) -> Iterator[float]:
    for folder in _folders(cgroups, own, "cpu"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        quota, period = quota or _read(folder / "cpu.cfs_quota_us"), period or _read(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal():  # neither `max` nor -1
            yield math.ceil(int(quota) / int(period) * 10) / 10


def _folders(cgroups: Path, own: Path, controller: str) -> Iterator[Path]:
    """This process's cgroup of the controller and all above it, in either version or in both."""
    for line in _read(own).splitlines():
        _number, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # A container may see the path of its host, and only its own part of the tree mounted: then the root counts.
        for root in (cgroups / controllers, cgroups / controller) if controllers else (cgroups, cgroups / "unified"):
            place = root / path.lstrip("/")
            while place != root:
                yield place
                place = place.parent
            yield root


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""
