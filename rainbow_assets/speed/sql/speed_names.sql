-- The newest names of what the speed part speaks of: whatever has a line in it, and whatever was renamed lately. What
-- the source has no more keeps the name that the batch layer knows.
INSERT INTO speed_names
WITH
    coverage AS (SELECT day, verified_at FROM {batch_coverage}),
    -- A day of overlap: these rows only say again what the batch layer may know by now.
    renamed AS (
        SELECT DISTINCT touched.table_name AS table_name, touched.id AS id
        FROM (SELECT * FROM speed_touched WHERE table_name != 'orders' AND flush <= {flush}) AS touched
        LEFT JOIN coverage ON touched.change_date = coverage.day
        WHERE NOT ifNull(coverage.verified_at > touched.committed_at + INTERVAL 1 DAY, false)
    ),
    lines AS (SELECT * FROM speed_sales WHERE refresh = {refresh}),
    live_categories AS (
        SELECT toInt64(id) AS id, argMax(tuple(name), (updated_at, lsn)).1 AS name
        FROM speed_categories
        WHERE flush <= {flush} AND {live}
        GROUP BY id
    ),
    live_products AS (
        SELECT id, argMax((name, category_id), (updated_at, lsn)) AS newest
        FROM speed_products
        WHERE flush <= {flush} AND {live}
        GROUP BY id
        HAVING id IN (SELECT product_id FROM lines)
            OR id IN (SELECT id FROM renamed WHERE table_name = 'products')
            OR newest.2 IN (SELECT id FROM renamed WHERE table_name = 'categories')
    ),
    names AS (
        SELECT 'products' AS kind, live_products.id AS id, newest.1 AS name,
            if(live_products.newest.2 IN (SELECT id FROM live_categories), live_categories.name, 'Unknown') AS detail,
            true AS is_live
        FROM live_products
        LEFT JOIN live_categories ON ifNull(live_products.newest.2, -1) = live_categories.id
        UNION ALL
        SELECT 'products', product_id, argMax(tuple(name), valid_from).1, argMax(tuple(category), valid_from).1, false
        FROM {dim_products}
        WHERE product_id IN (SELECT product_id FROM lines)
        GROUP BY product_id
        UNION ALL
        SELECT 'sellers', id, argMax(tuple(name), (updated_at, lsn)).1, NULL, true
        FROM speed_sellers
        WHERE flush <= {flush} AND {live} AND (id IN (SELECT seller_id FROM lines) OR id IN (SELECT id FROM renamed WHERE table_name = 'sellers'))
        GROUP BY id
        UNION ALL
        SELECT 'sellers', seller_id, argMax(tuple(name), valid_from).1, NULL, false
        FROM {dim_sellers}
        WHERE seller_id IN (SELECT seller_id FROM lines)
        GROUP BY seller_id
        UNION ALL
        SELECT 'payments', id, argMax(tuple(name), (updated_at, lsn)).1, argMax(tuple(type), (updated_at, lsn)).1, true
        FROM speed_payments
        WHERE flush <= {flush} AND {live} AND (id IN (SELECT payment_id FROM lines) OR id IN (SELECT id FROM renamed WHERE table_name = 'payments'))
        GROUP BY id
        UNION ALL
        SELECT 'payments', payment_id, argMax(tuple(name), valid_from).1, argMax(tuple(type), valid_from).1, false
        FROM {dim_payments}
        WHERE payment_id IN (SELECT payment_id FROM lines)
        GROUP BY payment_id
        UNION ALL
        SELECT 'customers', id, argMax({full_name}, (updated_at, lsn)), NULL, true
        FROM speed_customers
        WHERE flush <= {flush} AND {live} AND (id IN (SELECT customer_id FROM lines) OR id IN (SELECT id FROM renamed WHERE table_name = 'customers'))
        GROUP BY id
        UNION ALL
        SELECT 'customers', customer_id, argMax({full_name}, valid_from), NULL, false
        FROM {dim_customers}
        WHERE customer_id IN (SELECT customer_id FROM lines)
        GROUP BY customer_id
    )
SELECT {refresh} AS refresh, kind, toInt64(id) AS number, argMax(tuple(name), is_live).1, argMax(tuple(detail), is_live).1
FROM names
GROUP BY kind, number
