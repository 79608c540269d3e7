"""The checks of landing. They run in the step that they guard, as they look at just what it read and wrote."""

from collections.abc import Iterator, Mapping

import dagster as dg

from rainbow_assets.defs.conventions import check_spec, what_to_do
from rainbow_assets.landing.arrival import Beyond, Delay, Late
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.transactions import Open
from rainbow_assets.landing.unplaced import Unplaced
from rainbow_assets.landing.write import Extracted
from rainbow_assets.tables import SourceTable
from rainbow_assets.transform.open_checks import WHOLE

KNOWN = "columns_are_known"
IN_TIME = "rows_arrive_in_time"
NOT_LATE = "no_rows_come_late"
NOT_AHEAD = "no_rows_lie_ahead"
NOT_BEHIND = "no_rows_lie_behind"
NONE_OPEN = "no_transactions_are_open"
TIMED = "every_row_has_a_time"
FITS = "values_fit_their_columns"


def check_specs(table: SourceTable) -> list[dg.AssetCheckSpec]:
    """What is checked of `landing/<table>`."""
    key = dg.AssetKey(["landing", table.name])
    return [
        check_spec(
            key,
            WHOLE,
            "Every new file, read back from the object store, has the rows that were written.",
            blocking=True,
        ),
        check_spec(
            key,
            KNOWN,
            "The source's columns are those of the registry. New ones are taken along, lost ones are NULL; of one that "
            "the lake cannot take, by its name or type, the values stand in `rescued_data`.",
        ),
        check_spec(
            key, FITS, "Each value of a new row fits its column; what does not stands in `rescued_data`, and is NULL."
        ),
        check_spec(key, IN_TIME, "Half of the new rows of a day were read within 48 hours of their `updated_at`."),
        check_spec(
            key,
            NOT_LATE,
            "No row came for a day that had been loaded before, and of the days before the run's, as many as "
            "`RAINBOW_LOOKBACK_DAYS`, raw lacked none.",
        ),
        check_spec(key, NOT_AHEAD, "No row's `updated_at` lies in the future, where no partition will take it."),
        check_spec(key, NOT_BEHIND, "No row came after `RAINBOW_END_DATE`, where no partition takes it."),
        check_spec(
            key,
            NONE_OPEN,
            "When the rows were read, no transaction of the source was open that began before the last day's end.",
        ),
        check_spec(key, TIMED, "No row's `updated_at` is NULL: no partition would take it."),
    ]


def check_results(
    table: SourceTable,
    columns: Columns,
    done: Extracted,
    delay: Delay,
    late: Late,
    ahead: Beyond,
    behind: Beyond,
    found: Open,
    without_day: Unplaced,
) -> Iterator[dg.AssetCheckResult]:
    """The results of all but the first; each a warning."""
    yield known_result(table, columns)
    yield dg.AssetCheckResult(
        check_name=FITS,
        passed=not done.rescued,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Rows by column: {told(done.rescued)}." if done.rescued else None,
        metadata={"rows_by_column": done.rescued, "sample": list(done.sample), **what_to_do(FITS)},
    )
    yield dg.AssetCheckResult(
        check_name=TIMED,
        passed=without_day.without_time == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{without_day.without_time} rows have no `updated_at`." if without_day.without_time else None,
        metadata={
            "rows": without_day.without_time,
            "rows_too_late_for_any_day": without_day.too_late,
            "sample": list(without_day.sample),
            **what_to_do(TIMED),
        },
    )
    yield dg.AssetCheckResult(
        check_name=IN_TIME,
        passed=delay.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if delay.passed else f"Half of the rows took more than {delay.median}.",
        metadata={
            "rows": delay.rows,
            "median_hours": round(delay.median.total_seconds() / 3600, 2),
            "longest_hours": round(delay.longest.total_seconds() / 3600, 2),
            "judged": delay.judged,
            "sample": delay.sample,
            **what_to_do(IN_TIME),
        },
    )
    yield dg.AssetCheckResult(
        check_name=NOT_LATE,
        passed=not late.by_day,
        severity=dg.AssetCheckSeverity.WARN,
        description=str(late) if late.by_day else None,
        metadata={
            "rows": late.rows,
            "days": len(late.by_day),
            "rows_by_day": {str(day): rows for day, rows in late.by_day.items()},
            "sample": late.sample,
            **what_to_do(NOT_LATE),
        },
    )
    yield dg.AssetCheckResult(
        check_name=NOT_AHEAD,
        passed=ahead.rows == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{ahead.rows} rows lie behind {ahead.after:%Y-%m-%d %H:%M}." if ahead.rows else None,
        metadata={"rows": ahead.rows, "after": str(ahead.after), "sample": ahead.sample, **what_to_do(NOT_AHEAD)},
    )
    yield dg.AssetCheckResult(
        check_name=NOT_BEHIND,
        passed=behind.rows == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{behind.rows} rows from {behind.after:%Y-%m-%d} on: no day after RAINBOW_END_DATE is run. "
        "Set a later one, or none."
        if behind.rows
        else None,
        metadata={"rows": behind.rows, "after": str(behind.after), "sample": behind.sample, **what_to_do(NOT_BEHIND)},
    )
    yield dg.AssetCheckResult(
        check_name=NONE_OPEN,
        passed=found.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if found.passed else f"Rows may still come: {found}.",
        metadata={
            "sessions": len(found.sessions),
            "sample": [str(session) for session in found.sessions[:5]] or [found.untold],
            "ended": str(found.end),
            "looked_at": str(found.at),
            **what_to_do(NONE_OPEN),
        },
    )


def known_result(table: SourceTable, columns: Columns) -> dg.AssetCheckResult:
    """The result about the columns outside of the registry, but for those that it acknowledges."""
    unknown = {name: kind for name, kind in columns.all.items() if name not in {*table.columns, *table.acknowledged}}
    left_out = {name: why for name, why in columns.left_out.items() if name not in table.acknowledged}
    lost = [name for name in columns.lost if name not in table.acknowledged]
    faults = [f"Unknown: {', '.join(unknown)}"] * bool(unknown)
    faults += [f"Lost: {', '.join(lost)}"] * bool(lost)
    faults += [f"Left out: {told(left_out)}"] * bool(left_out)
    return dg.AssetCheckResult(
        check_name=KNOWN,
        passed=not faults,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{'; '.join(faults)}." if faults else None,
        metadata={
            "unknown_columns": unknown,
            "new_in_this_run": list(columns.added),
            "lost_columns": lost,
            "left_out_columns": left_out,
            **what_to_do(KNOWN),
        },
    )


def told(items: Mapping[str, object]) -> str:
    """`name (value), …`."""
    return ", ".join(f"{name} ({value})" for name, value in items.items())
