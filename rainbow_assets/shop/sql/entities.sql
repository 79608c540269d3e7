-- Who and what there is, made to fit the orders: nobody buys before signing up, nothing is sold before it is listed,
-- and what is deleted was last used before. Ids follow the moments of creation. Counts come from `seed.py`.

-- What is sold of a product, in all and before its row was last refreshed.
CREATE TABLE product_sales AS
SELECT
    product_rank AS rank,
    min(placed_at) AS first_sale,
    max(placed_at) AS last_sale,
    sum(quantity)::BIGINT AS units,
    coalesce(sum(quantity) FILTER (placed_at < moment('refresh', product_rank)), 0)::BIGINT AS units_at_refresh
FROM lines
GROUP BY product_rank;

-- The products, still with all that their lines need: the price before the refresh, the last sale.
CREATE TABLE shelf AS
WITH listed AS (
    SELECT
        r.rank,
        coalesce(
            s.first_sale - to_microseconds(least(
                dice('lead', r.rank, 30 * 86400000000),
                (epoch_us(s.first_sale) - epoch_us(getvariable('start'))) // 2
            )),
            moment('listed', r.rank)
        ) AS created_at,
        coalesce(s.last_sale, created_at) AS last_sale,
        coalesce(s.units, 0) AS units,
        coalesce(s.units_at_refresh, 0) AS units_at_refresh,
        moment('refresh', r.rank) AS refresh,
        dice('refreshed', r.rank, 10) < 6 AND refresh > created_at AS is_refreshed,
        row_number() OVER (ORDER BY dice('dropped product', r.rank, 1000000007), r.rank)
            <= 1 + getvariable('products') // 150 AS is_dropped,
        getvariable('categories')[1 + dice('category', r.rank, len(getvariable('categories')))] AS category,
        1 + dice('brand', r.rank, len(getvariable('brands'))) AS brand_id,
        least(
            dice('seller', r.rank, getvariable('sellers')), dice('other seller', r.rank, getvariable('sellers'))
        ) AS seller_rank
    FROM range(getvariable('products')) AS r (rank)
    LEFT JOIN product_sales AS s ON s.rank = r.rank
),
priced AS (
    SELECT
        *,
        CASE
            WHEN is_dropped THEN between_times(
                'product deleted', rank,
                greatest(last_sale, CASE WHEN is_refreshed THEN refresh ELSE created_at END), getvariable('end_at')
            )
        END AS deleted_at,
        CASE WHEN is_dropped THEN units WHEN is_refreshed THEN units_at_refresh ELSE 0 END AS sold_count,
        (
            category.low + (category.high - category.low) * dice('price', rank, 1000) // 1000
            * dice('other price', rank, 1000) // 1000
        ) * 100 + dice('cents', rank, 100) AS first_cents,
        CASE
            WHEN is_refreshed AND dice('repriced', rank, 10) < 4
                THEN first_cents * (85 + dice('reprice', rank, 31)) // 100
            ELSE first_cents
        END AS cents
    FROM listed
)
SELECT
    row_number() OVER (ORDER BY p.created_at, p.rank) AS id,
    p.rank,
    getvariable('brands')[p.brand_id] || ' ' || pick('adjective', p.rank, getvariable('adjectives')) || ' '
        || pick('noun', p.rank, p.category.nouns) AS name,
    money(p.cents) AS price,
    money(greatest(p.first_cents, p.cents) * (100 + 10 * dice('list price', p.rank, 5)) // 100) AS original_price,
    money(p.first_cents) AS first_price,
    CASE WHEN p.is_refreshed THEN p.refresh ELSE p.created_at END AS repriced_at,
    p.sold_count * dice('reviews', p.rank, 30) // 100 AS review_count,
    CASE WHEN review_count > 0 THEN money(300 + dice('rating', p.rank, 201)) ELSE 0 END AS rating_average,
    p.sold_count,
    p.units - p.sold_count + dice('stock', p.rank, 400) AS stock,
    p.category.id AS category_id,
    p.seller_rank,
    p.brand_id,
    m.id AS promotion_id,
    p.last_sale,
    p.created_at,
    coalesce(p.deleted_at, CASE WHEN p.is_refreshed THEN p.refresh ELSE p.created_at END) AS updated_at,
    p.deleted_at
FROM priced AS p
LEFT JOIN product_promotions AS m
    ON m.number = CASE
        WHEN dice('promoted', p.rank, 10) < 4 THEN dice('promotion', p.rank, (SELECT count(*) FROM product_promotions))
    END;

CREATE TABLE sellers AS
WITH opened AS (
    SELECT
        r.rank,
        coalesce(
            between_times('opened', r.rank, getvariable('start'), min(s.created_at)), moment('opened', r.rank)
        ) AS created_at,
        coalesce(max(s.last_sale), moment('opened', r.rank)) AS last_sale,
        row_number() OVER (ORDER BY dice('dropped seller', r.rank, 1000000007), r.rank)
            <= 1 + getvariable('sellers') // 50 AS is_dropped
    FROM range(getvariable('sellers')) AS r (rank)
    LEFT JOIN shelf AS s ON s.seller_rank = r.rank
    GROUP BY r.rank
),
fated AS (
    SELECT
        *,
        CASE
            WHEN is_dropped THEN between_times('seller deleted', rank, last_sale, getvariable('end_at'))
        END AS deleted_at,
        CASE
            WHEN dice('seller changed', rank, 10) < 1
                THEN between_times('seller updated', rank, created_at, getvariable('end_at'))
            ELSE created_at
        END AS changed_at
    FROM opened
)
SELECT
    row_number() OVER (ORDER BY created_at, rank) AS id,
    rank,
    pick('seller name', rank, getvariable('last_names')) || ' '
        || pick('seller kind', rank, getvariable('seller_kinds')) AS name,
    'https://shop.example/sellers/' || id AS link,
    dice('best', rank, 5) < 1 AS is_best_store,
    created_at,
    coalesce(deleted_at, changed_at) AS updated_at,
    deleted_at
FROM fated;

CREATE TABLE customers AS
WITH visits AS (
    SELECT customer_rank, min(placed_at) AS first_order, max(placed_at) AS last_order
    FROM placed
    GROUP BY customer_rank
),
signed_up AS (
    SELECT
        r.rank,
        coalesce(
            v.first_order - to_microseconds(least(
                dice('hesitation', r.rank, 14 * 86400000000),
                (epoch_us(v.first_order) - epoch_us(getvariable('start'))) // 2
            )),
            moment('signed up', r.rank)
        ) AS created_at,
        coalesce(v.last_order, created_at) AS last_order,
        row_number() OVER (ORDER BY dice('dropped customer', r.rank, 1000000007), r.rank)
            <= 1 + getvariable('customers') // 200 AS is_dropped
    FROM range(getvariable('customers')) AS r (rank)
    LEFT JOIN visits AS v ON v.customer_rank = r.rank
),
fated AS (
    SELECT
        *,
        CASE
            WHEN is_dropped THEN between_times('customer deleted', rank, last_order, getvariable('end_at'))
        END AS deleted_at,
        CASE
            WHEN dice('customer changed', rank, 100) < 6
                THEN between_times('customer updated', rank, created_at, getvariable('end_at'))
            ELSE created_at
        END AS changed_at
    FROM signed_up
)
SELECT
    row_number() OVER (ORDER BY created_at, rank) AS id,
    rank,
    pick('first name', rank, getvariable('first_names')) AS first_name,
    pick('last name', rank, getvariable('last_names')) AS last_name,
    lower(first_name || '.' || replace(last_name, '''', '')) || id || '@mail.example' AS email,
    created_at,
    coalesce(deleted_at, changed_at) AS updated_at,
    deleted_at
FROM fated;
