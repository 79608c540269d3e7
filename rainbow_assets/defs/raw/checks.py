"""The checks of raw. They run in the step that they guard, as they read just what it wrote."""

from collections.abc import Iterator

import dagster as dg

from rainbow_assets.defs.conventions import check_spec, what_to_do
from rainbow_assets.raw.compare import Agreement, Completeness
from rainbow_assets.raw.volume import Volumes
from rainbow_assets.tables import SourceTable
from rainbow_assets.transform.open_checks import AGREE, COMPLETE
from rainbow_assets.window import Days

NO_GAP = "no_day_is_empty"
FRESH = "newest_day_is_there"
USUAL = "volume_is_usual"
DAILY_TABLES = ("orders", "orderdetails")  # those with rows every day


def check_specs(table: SourceTable) -> list[dg.AssetCheckSpec]:
    """What is checked of `raw/<table>`."""
    key = dg.AssetKey(["raw", table.name])
    specs = [
        check_spec(
            key,
            COMPLETE,
            "Every row that the source holds for the run's days is, in every column, what raw extracted last of its "
            "key and `updated_at`, and nothing is there twice. Raw may hold more: versions that the source replaced.",
            blocking=True,
        ),
        check_spec(
            key, AGREE, "Iceberg and DuckLake hold the same landing files, with the same rows in each.", blocking=True
        ),
    ]
    if table.name in DAILY_TABLES:
        specs += [
            check_spec(
                key, NO_GAP, "Each of the run's days and of the 28 days before has rows, from the first loaded on."
            ),
            check_spec(key, FRESH, "The newest partition exists and is not empty, from 03:00 UTC on."),
            check_spec(key, USUAL, "A day has about as many rows as the same weekday in the eight weeks before."),
        ]
    return specs


def completeness_result(
    found: Completeness, days: Days, looked_back: Completeness | None = None, earlier: Days | None = None
) -> dg.AssetCheckResult:
    """The result of the comparison with the source. What is wrong in the days looked back on alone is a warning."""
    failing = [str(part) for part, look in ((days, found), (earlier, looked_back)) if look and not look.passed]
    told = looked_back if looked_back and found.passed else found
    return dg.AssetCheckResult(
        check_name=COMPLETE,
        passed=not failing,
        severity=dg.AssetCheckSeverity.WARN if found.passed else dg.AssetCheckSeverity.ERROR,
        description=f"Run {' and '.join(failing)} again: it adds what is missing." if failing else None,
        metadata={
            "days": str(days),
            "looked_back_on": str(earlier),
            "source_rows": found.rows,
            "missing": told.missing,
            "repeated": told.repeated,
            "sample_of_missing_keys": told.sample,
            **what_to_do(COMPLETE),
        },
    )


def agreement_result(found: Agreement, days: Days) -> dg.AssetCheckResult:
    """The result of the comparison of the two catalogs."""
    return dg.AssetCheckResult(
        check_name=AGREE,
        passed=not found.wrong,
        description=None if not found.wrong else "Run the partition again: it registers what a catalog lacks.",
        metadata={"days": str(days), "files": found.files, "wrong": found.wrong[:5], **what_to_do(AGREE)},
    )


def volume_results(found: Volumes) -> Iterator[dg.AssetCheckResult]:
    """The results about the rows of each day; each a warning."""
    yield dg.AssetCheckResult(
        check_name=NO_GAP,
        passed=not found.gaps,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(found.gaps)} days have no rows." if found.gaps else None,
        metadata={"days": len(found.gaps), "sample": [str(day) for day in found.gaps[:5]], **what_to_do(NO_GAP)},
    )
    yield dg.AssetCheckResult(
        check_name=FRESH,
        passed=found.is_fresh,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if found.is_fresh else f"The newest day with rows is {found.newest}, not {found.due}.",
        metadata={"newest": str(found.newest), "due": str(found.due), **what_to_do(FRESH)},
    )
    yield dg.AssetCheckResult(
        check_name=USUAL,
        passed=not found.unusual,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(found.unusual)} days have another volume than usual." if found.unusual else None,
        metadata={
            "days": len(found.unusual),
            "sample": [f"{day.day}: {day.rows} rows, usually {day.usual}" for day in found.unusual[:5]],
            **what_to_do(USUAL),
        },
    )
