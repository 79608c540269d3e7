-- The orders that changed, and that the batch layer may not know as they are now: its newest look at the day of the
-- change was not later than the commit. The margin is for a commit that becomes visible long after its time.
INSERT INTO speed_changed
WITH
    coverage AS (SELECT day, is_first, verified_at FROM {batch_coverage}),
    -- The first partition also takes everything older.
    (SELECT max(day) FROM coverage WHERE is_first) AS first_day
SELECT DISTINCT {refresh} AS refresh, touched.id
FROM (
    SELECT id, committed_at, if(change_date = '{no_day}', change_date, greatest(change_date, first_day)) AS day
    FROM speed_touched
    WHERE table_name = 'orders' AND flush <= {flush}
) AS touched
LEFT JOIN coverage ON touched.day = coverage.day
WHERE NOT ifNull(coverage.verified_at > touched.committed_at + INTERVAL {margin} SECOND, false)
