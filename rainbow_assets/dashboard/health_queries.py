"""What the health page asks ClickHouse. Not here: the lake's own sizes (`storage.py`)."""

from rainbow_assets.dashboard.queries import WATERMARK, Query

RUNS, CHECKS, VISIBLE = "ops_runs", "ops_check_results", "speed_visible"


def health() -> dict[str, Query]:
    """The statements of the page, by the name of what they fill."""
    return {
        "watermark": Query(WATERMARK),
        "runs": Query(
            f"""
            SELECT run_id, coalesce(partitions, job) AS what, load_type, status, started_at,
                dateDiff('second', started_at, ended_at) AS seconds, rows_read, rows_written
            FROM {RUNS} ORDER BY started_at DESC LIMIT 20""",
            table=RUNS,
        ),
        "checks": Query(
            f"SELECT uniqExact(asset, check_name) AS known, max(evaluated_at) AS evaluated_at FROM {CHECKS}",
            table=CHECKS,
        ),
        # Those whose newest evaluation failed, and since when without a pass between.
        "failing": Query(
            f"""
            SELECT c.asset AS asset, c.check_name AS check_name, argMax(c.severity, c.evaluated_at) AS severity,
                minIf(c.evaluated_at, c.evaluated_at > c.passed_at) AS since,
                argMax(coalesce(c.description, ''), c.evaluated_at) AS description
            FROM (
                SELECT *, coalesce(maxIf(evaluated_at, passed) OVER (PARTITION BY asset, check_name),
                    toDateTime64(0, 6, 'UTC')) AS passed_at
                FROM {CHECKS}
            ) AS c
            GROUP BY c.asset, c.check_name HAVING NOT argMax(coalesce(c.passed, false), c.evaluated_at)
            ORDER BY severity, asset, check_name LIMIT 100""",
            table=CHECKS,
        ),
        "lag": Query(
            f"""
            SELECT toDateTime64(toStartOfInterval(v.visible_at, INTERVAL 30 SECOND), 3, 'UTC') AS at,
                max(v.lag_seconds) AS lag_seconds, max(f.lag_bytes) AS lag_bytes, sum(f.changes) AS changes
            FROM {VISIBLE} AS v INNER JOIN speed_flushes AS f ON f.flush = v.flush
            WHERE v.visible_at > now64(6) - INTERVAL 1 HOUR GROUP BY 1 ORDER BY 1""",
            table=VISIBLE,
        ),
        # Stores are named after their table and a hash of their columns.
        "sizes": Query(
            """
            SELECT replaceRegexpOne(p.table, '^store_(.*)_[0-9a-f]{8}$', '\\\\1') AS table,
                multiIf(p.table LIKE 'store_%', 'batch layer', p.table LIKE 'speed_%', 'live part',
                    p.table LIKE 'ops_%', 'records', 'publishing') AS part,
                sum(p.rows) AS rows, sum(p.bytes_on_disk) AS bytes
            FROM system.parts AS p WHERE p.active AND p.database = currentDatabase()
            GROUP BY 1, 2 ORDER BY bytes DESC, table"""
        ),
    }
