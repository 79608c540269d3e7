"""What every asset of the graph has in common: owner, schema, and how a failure is told.

Here: the few lines that each stage would repeat. Not here: any asset.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from rainbow_assets.errors import RainbowError, TransientError

OWNERS = ["team:data-engineering"]
RETRIES = 3


def table_schema(columns: Mapping[str, str]) -> dg.TableSchema:
    """Columns, name to type, as the Dagster UI shows them."""
    return dg.TableSchema(columns=[dg.TableColumn(name, kind) for name, kind in columns.items()])


@contextmanager
def told_failures(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Iterator[None]:
    """Retry what is transient, with growing pauses; fail at once, in one line, on what is not."""
    try:
        yield
    except TransientError as error:
        context.log.warning(str(error))
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=2**context.retry_number) from error
    except RainbowError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None
