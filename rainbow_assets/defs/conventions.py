"""What every asset of the graph has in common: owner, schema, freshness, and how a failure is told.

Here: the few lines that each stage would repeat. Not here: any asset.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import dagster as dg
import duckdb

from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.systems.ducklake import broken_off

OWNERS = ["team:data-engineering"]
RETRIES = 3
NOTHING_NEW = "nothing_new"  # the metadata of a table that a run left as it was
BUILT_ANEW = "built_anew"  # the metadata of a table that was: why
# Made anew between 00:00 and 03:00 UTC, or late. It looks at any partition: `volume.Volumes` looks at the newest.
FRESH = dg.FreshnessPolicy.cron(deadline_cron="0 3 * * *", lower_bound_delta=timedelta(hours=3), timezone="UTC")


def table_schema(columns: Mapping[str, str]) -> dg.TableSchema:
    """Columns, name to type, as the Dagster UI shows them."""
    return dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in columns.items()])


def check_spec(asset: dg.AssetKey, name: str, description: str, blocking: bool = False) -> dg.AssetCheckSpec:
    """A check of `asset`; its section in docs/data-quality.md has its name."""
    return dg.AssetCheckSpec(
        name, asset=asset, blocking=blocking, description=description, metadata=dict(what_to_do(name))
    )


def what_to_do(check: str) -> dict[str, dg.UrlMetadataValue]:
    """The metadata that leads from a check's result to what its failure asks for: a page that `rainbow ui` serves."""
    return {"what_to_do": dg.MetadataValue.url(f"/rainbow/docs/data-quality#{check}")}


@contextmanager
def _lake_errors() -> Iterator[None]:
    """A question to the lake outside of a transaction fails as one within."""
    try:
        yield
    except duckdb.Error as error:
        raise broken_off(error) from None


@contextmanager
def told_failures(
    context: dg.OpExecutionContext | dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> Iterator[None]:
    """Retry what is transient, with growing pauses; fail at once, in one line, on what is not."""
    try:
        with _lake_errors():
            yield
    except TransientError as error:
        context.log.warning(str(error))
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=2**context.retry_number) from error
    except RainbowError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
