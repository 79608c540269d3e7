-- The newest names, whichever part knows them: the batch layer may be ahead of a stream that was away.
INSERT INTO speed_names
WITH
    wanted AS (SELECT kind, id FROM speed_wanted WHERE refresh = {refresh}),
    live_categories AS (
        SELECT toInt64(id) AS id, argMax(tuple(name), (updated_at, lsn)).1 AS name, max(updated_at) AS since
        FROM speed_categories
        WHERE flush <= {flush} AND {named}
        GROUP BY id
    ),
    live_products AS (
        SELECT id, argMax((name, category_id), (updated_at, lsn)) AS newest, max(updated_at) AS since
        FROM speed_products
        WHERE flush <= {flush} AND {known} AND {good_product}
            AND id IN (SELECT id FROM wanted WHERE kind = 'products')
        GROUP BY id
    ),
    names AS (
        SELECT 'products' AS kind, live_products.id AS id, live_products.newest.1 AS name,
            if(live_categories.since IS NULL, 'Unknown', live_categories.name) AS detail,
            greatest(live_products.since, live_categories.since) AS since, true AS is_live
        FROM live_products
        LEFT JOIN live_categories ON ifNull(live_products.newest.2, -1) = live_categories.id
        UNION ALL
        SELECT 'products', product_id, name, category, valid_from, false
        FROM {dim_products}
        WHERE product_id IN (SELECT id FROM wanted WHERE kind = 'products')
        UNION ALL
        SELECT 'sellers', id, argMax(tuple(name), (updated_at, lsn)).1, NULL, max(updated_at), true
        FROM speed_sellers
        WHERE flush <= {flush} AND {known} AND id IN (SELECT id FROM wanted WHERE kind = 'sellers')
        GROUP BY id
        UNION ALL
        SELECT 'sellers', seller_id, name, NULL, valid_from, false
        FROM {dim_sellers}
        WHERE seller_id IN (SELECT id FROM wanted WHERE kind = 'sellers')
        UNION ALL
        SELECT 'payments', id, argMax(tuple(name), (updated_at, lsn)).1, argMax(tuple(type), (updated_at, lsn)).1,
            max(updated_at), true
        FROM speed_payments
        WHERE flush <= {flush} AND {known} AND id IN (SELECT id FROM wanted WHERE kind = 'payments')
        GROUP BY id
        UNION ALL
        SELECT 'payments', payment_id, name, type, valid_from, false
        FROM {dim_payments}
        WHERE payment_id IN (SELECT id FROM wanted WHERE kind = 'payments')
        UNION ALL
        SELECT 'customers', id, argMax({full_name}, (updated_at, lsn)), NULL, max(updated_at), true
        FROM speed_customers
        WHERE flush <= {flush} AND {known} AND id IN (SELECT id FROM wanted WHERE kind = 'customers')
        GROUP BY id
        UNION ALL
        SELECT 'customers', customer_id, {full_name}, NULL, valid_from, false
        FROM {dim_customers}
        WHERE customer_id IN (SELECT id FROM wanted WHERE kind = 'customers')
    )
SELECT {refresh} AS refresh, kind, number, newest.1, newest.2
FROM (
    SELECT kind, toInt64(id) AS number, argMax((name, detail), (since, is_live)) AS newest FROM names GROUP BY kind, number
)
