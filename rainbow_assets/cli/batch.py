"""The verbs of the batch layer: run, demo, ui."""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rainbow_assets.cli.arguments import End, Start, day_argument
from rainbow_assets.errors import RainbowError

if TYPE_CHECKING:
    from rainbow_assets.cli.launch import Outcome
    from rainbow_assets.settings import Settings

DEMO_ORDER = {  # of the views that are not read from their first column on
    "sales_by_day": "order_date DESC",
    "top_sellers": "seller_rank",
    "top_products_by_category": "category, profit_rank",
    "customer_ranking": "customer_rank",
}
NEXT = """
Next:
  make ui         the graph: materialise, backfill, schedule, checks    http://127.0.0.1:3000
  make stream     the shop's changes in the views as they happen
  make api        takes orders                                          http://127.0.0.1:8000
  make dashboard  the numbers, and how new they are                     http://127.0.0.1:8501
  rainbow sql --engine clickhouse 'SELECT * FROM v_total_sales'"""


def run(
    day: Annotated[date | None, day_argument("Default: the newest day that is over.", "DATE")] = None,
    start: Start = None,
    end: End = None,
) -> None:
    """Run the batch layer for a day, or for a range of days in one run."""
    from rainbow_assets.settings import Settings

    if day and (start or end):
        raise typer.BadParameter("give a DATE or --from and --to, not both")
    if bool(start) != bool(end):
        raise typer.BadParameter("--from and --to go together")
    settings = Settings.load()
    run_days(settings, start or day or settings.last_partition, end or day or settings.last_partition)


def run_days(settings: "Settings", first: date, last: date) -> None:
    """Run `batch_job` for `first` to `last`; what dbt prints goes to a log file.

    Raises:
        DataError: the range is upside down or leaves the partitions.
        TransientError, SettingsError: Dagster's storage does not answer, or refuses.
        RainbowError: the run failed; the message has a line for each cause.
    """
    settings.require_partitions(first, last)
    days = str(first) if first == last else f"{first} to {last}"
    began = time.time()

    def work(report: Callable[[str], None]) -> "Outcome":
        from rainbow_assets.cli.launch import run_batch

        return run_batch(first, last, report, began)

    outcome = run_logged(settings, "run", f"Run {days}", work)
    typer.echo(
        f"Run {outcome.run_id[:8]} for {days} succeeded: {outcome.checks_passed} checks passed, "
        f"{f'{outcome.idle} tables without news left as they were, ' if outcome.idle else ''}"
        f"{time.time() - began:.1f} s."
    )


def run_logged(
    settings: "Settings", name: str, title: str, work: Callable[[Callable[[str], None]], "Outcome"]
) -> "Outcome":
    """Run a job by `work`, which takes a reporter; what dbt prints goes to a log file that begins with `name`.

    Raises:
        TransientError, SettingsError: Dagster's storage does not answer, or refuses.
        RainbowError: the run failed; the message has a line for each cause.
    """
    from rainbow_assets.cli.console import progress

    _prepare_dagster(settings)
    log = settings.home / "logs" / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        progress(title) as reporter,
        log.open("w", encoding="utf-8", errors="backslashreplace") as file,  # no character that is printed fails a run
        contextlib.redirect_stdout(file),
    ):
        outcome = work(reporter.say)
    for what, where in outcome.warnings.items():
        typer.echo(f"Warning: {_places(where)}: {what}", err=True)
    for what, where in outcome.notes.items():
        typer.echo(f"{_places(where)}: {what}")
    if not outcome.success:
        causes = "; ".join(f"{_places(where)}: {what}" for what, where in outcome.failures.items()) or "see the log"
        raise RainbowError(f"{title} failed ({outcome.run_id[:8]}): {causes.rstrip('.')}.", f"Log: {log}.")
    return outcome


def demo(
    days: Annotated[int, typer.Option(min=1, help="Days to seed, where the shop is empty.")] = 30,
    orders_per_day: Annotated[int, typer.Option(min=1, help="Orders on an average day.")] = 500,
) -> None:
    """From nothing to a full lakehouse: up, seed, run, and the batch views printed from ClickHouse."""
    from rainbow_assets.cli.formats import write_table
    from rainbow_assets.cli.shop import fill
    from rainbow_assets.cli.stack import up
    from rainbow_assets.ops.query import ask
    from rainbow_assets.serving.tables import MARTS
    from rainbow_assets.settings import Settings
    from rainbow_assets.shop.schema import is_empty

    up()
    settings = Settings.load()
    if is_empty(settings.secret("source_url")):
        fill(days, None, orders_per_day, 42, replace=False)
        settings = Settings.load()
    run_days(settings, settings.start_date, settings.last_partition)
    for name in MARTS:
        typer.echo(f"\nv_{name}_batch")
        query = f"SELECT * FROM v_{name}_batch ORDER BY {DEMO_ORDER.get(name, 1)} LIMIT 7"
        with ask(settings, "clickhouse", query) as answer:
            write_table(answer, sys.stdout)
    typer.echo(NEXT)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The page's port, on loopback.")] = 3000,
) -> None:
    """The Dagster UI, with its daemon, on loopback; Ctrl-C ends both."""
    from rainbow_assets.settings import Settings
    from rainbow_assets.stack.ports import require_free
    from rainbow_assets.ui import serve

    settings = Settings.load()
    require_free(port, "--port")
    _hold(settings.home / ".ui.lock")
    _prepare_dagster(settings)
    serve.run(settings, port, typer.echo)


def _hold(lock: Path) -> None:
    """Hold a lock file as long as this process lives.

    Raises:
        RainbowError: another process holds it: two daemons would do the same schedules twice.
    """
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode() or "another one"
        hint = "Open its page, or end it first."
        raise RainbowError(f"`rainbow ui` runs already for {lock.parent}: process {holder}.", hint) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())


def _places(names: list[str]) -> str:
    """The first three of them, and how many more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _prepare_dagster(settings: "Settings") -> None:
    """What Dagster needs before it starts: a storage that answers, its home, its environment."""
    from rainbow_assets.stack.environment import dagster_environment, prepare_dagster_home
    from rainbow_assets.systems.postgres import fetch

    told = dagster_environment(settings)
    fetch(told["DAGSTER_PG_URL"].replace("+psycopg2", "", 1), "RAINBOW_DAGSTER_URL", "SELECT 1")
    prepare_dagster_home(settings)
    os.environ.update(told)
