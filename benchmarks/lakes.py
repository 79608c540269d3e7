"""Both ways to fill a lake, as programs, and the reading of what they left: each run is a process of its own.

`rainbow_run` is the command line as a user starts it: a cold interpreter with all its imports, Dagster, dbt, checks.
`bare_run` is `bare.py`: a cold interpreter too, but its own clock, which leaves its imports out.
"""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

from benchmarks.harness import timed
from benchmarks.stack import environment
from rainbow_assets.serving.tables import SERVED
from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.systems import clickhouse, ducklake

RAINBOW = Path(sys.executable).with_name("rainbow")
MONEY = ("extended_sales_amount", "extended_discount_amount", "sales_amount", "total_sales_amount", "profit")


def rainbow_run(settings: Settings, first: date, last: date) -> float:
    """`rainbow run --from first --to last`; the seconds of the whole process."""
    return timed(lambda: _program(settings, str(RAINBOW), "run", "--from", str(first), "--to", str(last)))


def maintain(settings: Settings, *arguments: str) -> None:
    """`rainbow maintain`, as it is every night."""
    _program(settings, str(RAINBOW), "maintain", *arguments)


def checked_run(settings: Settings, day: date) -> dict[str, float]:
    """The run of a day that tells the seconds of its checks, by kind, and its own as `run` (`checked.py`)."""
    seconds: dict[str, float] = json.loads(_program(settings, sys.executable, "-m", "benchmarks.checked", str(day)))
    return seconds


def bare_run(settings: Settings, first: date, last: date) -> dict[str, float]:
    """The bare statements; their seconds by phase, and `total`."""
    told = _program(settings, sys.executable, "-m", "benchmarks.bare", str(first), str(last))
    seconds: dict[str, float] = json.loads(told)
    return seconds


def _program(settings: Settings, *command: str) -> str:
    done = subprocess.run(
        command, cwd=PROJECT_DIR, env=environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        logs = sorted((settings.home / "logs").glob("run-*.log"))
        told = [done.stdout, done.stderr, *(log.read_text(encoding="utf-8") for log in logs[-1:])]
        raise RuntimeError("\n".join([f"{' '.join(command)} failed.", *(text[-3000:] for text in told)]))
    return done.stdout


def contents(settings: Settings) -> dict[str, tuple[object, ...]]:
    """Rows and money sums of every served table, in the lake and in ClickHouse."""
    found: dict[str, tuple[object, ...]] = {}
    with ducklake.connect(settings, read_only=True) as lake, clickhouse.connect(settings) as client:
        for served in SERVED:
            place = f"lake.{served.schema}.{served.name}"
            columns = [name for name, *_ in lake.execute(f"DESCRIBE {place}").fetchall()]
            sums = ", ".join(["count(*)", *(f"sum({name})" for name in columns if name in MONEY)])
            found[served.name] = lake.execute(f"SELECT {sums} FROM {place}").fetchall()[0]
            found[served.view + " in ClickHouse"] = client.query(f"SELECT {sums} FROM {served.view}").result_rows[0]
    return found
