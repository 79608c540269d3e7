"""The blocking checks of raw. They run in the step that they guard, as they read just what it wrote."""

import dagster as dg

from rainbow_assets.pipeline.landing import Days
from rainbow_assets.pipeline.reconcile import Agreement, Completeness
from rainbow_assets.tables import SourceTable

COMPLETE = "holds_every_source_row_once"
AGREE = "iceberg_equals_ducklake"


def check_specs(table: SourceTable) -> list[dg.AssetCheckSpec]:
    """What is checked of `raw/<table>`."""
    key = dg.AssetKey(["raw", table.name])
    return [
        dg.AssetCheckSpec(
            COMPLETE,
            asset=key,
            blocking=True,
            description="Every row that the source holds for the run's days is in raw once, with the same money. "
            "Raw may hold more: versions that the source has since replaced.",
        ),
        dg.AssetCheckSpec(
            AGREE,
            asset=key,
            blocking=True,
            description="Iceberg and DuckLake hold the same landing files, with the same rows in each.",
        ),
    ]


def completeness_result(found: Completeness, days: Days) -> dg.AssetCheckResult:
    """The result of the comparison with the source."""
    return dg.AssetCheckResult(
        check_name=COMPLETE,
        passed=found.passed,
        description=None
        if found.passed
        else "Run the partition again: it adds what is missing. Money that raw cannot hold "
        "exactly (NaN, more than two decimals) must be corrected in the source.",
        metadata={
            "days": str(days),
            "source_rows": found.rows,
            "missing": found.missing,
            "repeated": found.repeated,
            "sample_of_missing_keys": found.sample,
        },
    )


def agreement_result(found: Agreement, days: Days) -> dg.AssetCheckResult:
    """The result of the comparison of the two catalogs."""
    return dg.AssetCheckResult(
        check_name=AGREE,
        passed=not found.wrong,
        description=None if not found.wrong else "Run the partition again: it registers what a catalog lacks.",
        metadata={"days": str(days), "files": found.files, "wrong": found.wrong[:5]},
    )
