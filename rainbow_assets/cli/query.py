"""The verb that asks: sql."""

import sys
from enum import StrEnum
from typing import Annotated

import typer


class Engine(StrEnum):
    """What can be asked."""

    lake = "lake"
    clickhouse = "clickhouse"
    source = "source"


class Format(StrEnum):
    """How the rows are shown."""

    table = "table"
    csv = "csv"
    json = "json"


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One statement that reads.")],
    engine: Annotated[Engine, typer.Option(help="Whom to ask.")] = Engine.lake,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="RUN_ID|TIME", help="The lake as it was at the end of a run, or at a time (UTC)."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to show the rows.")] = Format.table,  # noqa: A002
) -> None:
    """Run a query on the lake, on ClickHouse or on the source. It reads, it never writes.

    The lake's tables are `raw.orders`, `staging.stg_orders`, `warehouse.fact_sales`, `marts.total_sales`.
    """
    from rainbow_assets.cli.formats import FORMATS
    from rainbow_assets.ops.query import ask
    from rainbow_assets.settings import Settings

    with ask(Settings.load(), engine.value, query, as_of) as answer:
        FORMATS[format.value](answer, sys.stdout)
