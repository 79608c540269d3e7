-- Whose names the speed part tells: of whatever has a line in it, and of whatever was renamed lately.
INSERT INTO speed_wanted
WITH
    coverage AS (SELECT day, is_first, verified_at FROM {batch_coverage}),
    (SELECT max(day) FROM coverage WHERE is_first) AS first_day,
    (SELECT max(verified_at) FROM coverage) AS newest,
    -- A day of overlap: these rows only say again what the batch layer may know by now.
    renamed AS (
        SELECT DISTINCT touched.table_name AS kind, touched.id AS id
        FROM (
            SELECT table_name, id, committed_at, greatest(change_date, first_day) AS day
            FROM speed_touched
            WHERE table_name != 'orders' AND flush <= {flush}
        ) AS touched
        LEFT JOIN coverage ON touched.day = coverage.day
        WHERE NOT ifNull(
            coverage.verified_at > touched.committed_at AND newest > touched.committed_at + INTERVAL 1 DAY, false
        )
    )
SELECT DISTINCT {refresh} AS refresh, kind, id
FROM (
    SELECT kind, id FROM renamed
    UNION ALL
    SELECT 'products', id FROM speed_products
    WHERE flush <= {flush} AND category_id IN (SELECT id FROM renamed WHERE kind = 'categories')
    UNION ALL
    SELECT line.1, line.2
    FROM speed_sales
    ARRAY JOIN [('products', product_id), ('sellers', seller_id), ('payments', payment_id), ('customers', customer_id)]
        AS line
    WHERE refresh = {refresh}
)
