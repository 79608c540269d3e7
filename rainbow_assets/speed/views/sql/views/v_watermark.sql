SELECT
    publications.publication AS publication,
    publications.run_id AS run_id,
    publications.published_at AS published_at,
    (SELECT maxOrNull(day) FROM batch_coverage) AS batch_until,
    flushes.live_until AS live_until,
    (SELECT argMaxOrNull(lag_seconds, flush) FROM speed_visible) AS lag_seconds,
    flushes.lag_bytes AS lag_bytes,
    flushes.flushed_at AS flushed_at,
    flushes.stands_still AS stands_still
FROM (
    SELECT publication, any(run_id) AS run_id, any(published_at) AS published_at
    FROM publications
    WHERE publication = (SELECT max(publication) FROM publications)
    GROUP BY publication
) AS publications
LEFT JOIN (
    SELECT 1 AS one,
        -- What was flushed and is in no view yet is not live.
        nullIf(argMaxIf(live_until, flush, flush < unseen), toDateTime64(0, 6, 'UTC')) AS live_until,
        toNullable(argMax(lag_bytes, flush)) AS lag_bytes, toNullable(max(speed_flushes.flushed_at)) AS flushed_at,
        -- Why `live_until` does not move.
        nullIf(JSONExtractString((SELECT position FROM speed_flushes ORDER BY flush DESC LIMIT 1), 'why'), '')
            AS stands_still
    FROM speed_flushes
    CROSS JOIN (
        SELECT min(flush) AS first, if(first = 0, 18446744073709551615, first) AS unseen
        FROM speed_flushes
        WHERE changes > 0 AND flush > (
            SELECT argMax(flush, refresh) FROM speed_refreshes
            WHERE publication = (SELECT max(publication) FROM publications)
        )
    ) AS seen
    HAVING count() > 0
) AS flushes ON flushes.one = 1
