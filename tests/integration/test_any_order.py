"""The rule above all others: whatever the order of changes and runs, the warehouse is that of a full rebuild.

Hypothesis draws what shops do and which days are run when; raw must hold every version that a run met, each time that
it was another one than the run before had met, and every table of warehouse and marts the rows that an independent
reading of the contract (`warehouse_reference.py`) gives for raw. Runs go through the pipeline's own functions and dbt;
Dagster, which would add seconds to each, stands aside.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings
from isolation import new_lake
from soak import only_soak

from rainbow_assets.defs.transform.news import without_news
from rainbow_assets.landing import drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.write import extract
from rainbow_assets.raw.register import known_columns, once_first, register
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.systems import ducklake, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days
from tests.integration.shop_histories import (
    BUILDS,
    HISTORIES,
    KEYS,
    REFERS,
    SHOPS,
    SLOT,
    START,
    STOCK,
    TOLD,
    WHOLE,
    Put,
    Round,
    Run,
)
from tests.integration.warehouse_driver import Lakehouse, Row, compare_rows

pytestmark = pytest.mark.integration

# Each drawn example is SHOPS histories, none of them empty. `make soak` draws others every time, and remembers what
# failed.
PROFILES = {
    "ci": settings(max_examples=3, derandomize=True, database=None),
    "soak": settings(max_examples=60),
}
PROFILE = settings(
    PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "ci")],
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
QUICKLY = ("--no-write-json", "--log-level-file", "none")


class Company(Lakehouse):
    """Shops in one source, their lakehouse, and what raw must hold by now."""

    def __init__(self, found: Settings, folder: Path, resources: ExitStack) -> None:
        super().__init__(found, folder)
        self.url, self.bucket = found.secret("source_url"), found.s3_bucket
        create_schema(self.url)
        self.create_raw()
        self.source = resources.enter_context(postgres.connect(self.url, "test"))
        self.source.autocommit = True
        self.lake = resources.enter_context(ducklake.connect(found))
        self.s3, self.iceberg = object_store.client(found), iceberg.connect(found)
        self.held: dict[tuple[str, tuple[int, ...]], Row] = {}
        self.first = 0  # the first partition, a day from START on
        self.newest: dict[tuple[str, tuple[int, ...], Any], Row] = {}
        self.landed: dict[tuple[str, date], list[tuple[Any, ...]]] = {}
        self.raw: dict[tuple[str, date], list[tuple[Any, ...]]] = {}

    def idle(self) -> list[str]:
        """As the driver, by the connection that is open already."""
        return without_news(self.lake)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the lake, by the connection that is open already."""
        return self.lake.execute(query).fetchall()

    def put(self, shop: int, puts: list[Put] | tuple[Put, ...]) -> None:
        """Write rows to the source."""
        for put in puts:
            key = tuple(number + shop * KEYS for number in put.key)
            updated = START + SLOT * put.updated
            before = self.held.get((put.table, key))
            row = dict.fromkeys(TABLES[put.table].columns) | dict(zip(TABLES[put.table].key, key, strict=True))
            row |= {n: v + shop * KEYS if n in REFERS and v is not None else v for n, v in put.columns.items()}
            row["updated_at"] = updated
            row["created_at"] = before["created_at"] if before else updated
            if put.created is not None:
                row["created_at"] = START + SLOT * put.created
            row["deleted_at"] = None if put.deleted is None else updated + SLOT * put.deleted
            self.held[put.table, key] = row
            names, values = ", ".join(row), ", ".join(["%s"] * len(row))
            self.source.execute(
                f"INSERT INTO {put.table} ({names}) VALUES ({values}) ON CONFLICT ({', '.join(TABLES[put.table].key)}) "
                f"DO UPDATE SET ({names}) = ({', '.join(f'excluded.{name}' for name in row)})",
                list(row.values()),
            )

    def run(self, run: Run) -> None:
        """Extract and register, as the assets of landing and raw do."""
        first, last = ((START + timedelta(days=number)).date() for number in (run.first, run.last))
        days = Days(first, last, open_start=run.first == self.first)
        for table in TABLES.values():
            columns = drift.check(self.url, table, known_columns(self.lake, table))
            files = landing_files.files(self.s3, self.bucket, table.name, days)
            older = once_first(self.lake, table, days)
            extract(self.lake, self.url, table, columns, days, files, self.bucket, "run", older)
            if run.registered:
                files = landing_files.files(self.s3, self.bucket, table.name, days)
                register(self.lake, self.iceberg, table, files, days, "run")
        for (name, key), row in self.held.items():
            start = START.date() + timedelta(days=self.first)
            day, version = max(row["updated_at"].date(), start), (name, key, row["updated_at"])
            if day in days and self.newest.get(version) != row:
                self.newest[version] = row
                self.landed.setdefault((name, day), []).append((*row.values(), day))
        if run.registered:
            self.raw |= {place: list(rows) for place, rows in self.landed.items() if place[1] in days}


def differences(company: Company) -> list[str]:
    """Where raw is not what the runs met, or a table not what the contract says of raw: a line each."""
    raw = company.raw_rows()
    found = []
    for name, table in TABLES.items():
        names = [*table.columns, "change_date"]
        expected = [row for (place, _), rows in company.raw.items() if place == name for row in rows]
        found += compare_rows(f"raw.{name}", [tuple(row[n] for n in names) for row in raw[name]], expected)
    return found + company.differences(raw)


@contextmanager
def company_of(stack: Settings) -> Iterator[Company]:
    """A company of its own databases, bucket and home."""
    with (
        TemporaryDirectory(prefix="rb-", dir="/tmp") as folder,
        pytest.MonkeyPatch.context() as patch,
        new_lake(stack, patch, Path(folder)) as found,
        ExitStack() as resources,
    ):
        yield Company(found, Path(folder), resources)


@PROFILE
@given(HISTORIES)
@example(TOLD)
def test_any_order_of_changes_and_runs_gives_the_rows_of_a_full_rebuild(stack: Settings, rounds: list[Round]) -> None:
    with company_of(stack) as company:
        for shop in range(SHOPS):
            company.put(shop, STOCK)
        for number, step in enumerate(rounds):
            for shop, puts in enumerate(step.puts):
                company.put(shop, puts)
            for run in step.runs:
                company.run(run)
            builds = [step.build, "whole"] if step is rounds[-1] and step.build not in WHOLE else [step.build]
            for build in builds:
                # one of some models may fail where others are not there yet: then it was a build that broke off
                assert company.dbt("run", *BUILDS[build], *QUICKLY) or build not in WHOLE
            if builds[-1] in WHOLE:
                wrong = differences(company)
                note(f"after round {number}:\n" + "\n".join(wrong[:20]))
                assert not wrong


@only_soak
def test_a_start_that_was_moved_doubles_nothing(stack: Settings) -> None:
    with company_of(stack) as company:
        for shop in range(2):
            company.put(shop, STOCK)
        for first, last in ((2, 3), (0, 1), (0, 4), (3, 4), (1, 3)):
            company.first = first
            company.run(Run(first, last))
        company.put(0, [Put("payments", (1,), 0, {"name": "b"}), Put("orders", (1,), -1, {"customer_id": 2})])
        company.run(Run(1, 1))
        rows = sum(len(found) for found in company.raw.values())
        assert rows == len(company.held) + 2
        assert company.dbt("run", *QUICKLY)
        assert not differences(company)
