-- The second part of a simulated day: the orders, and what they leave on the products and in the stock. Follows
-- `simulate_offer.sql` in the same transaction.

-- New orders: by customers that there are, the older the likelier; a seventh by someone who signs up for it.
CREATE TEMP TABLE guests ON COMMIT DROP AS
SELECT id, row_number() OVER (ORDER BY id) - 1 AS place
FROM customers
WHERE deleted_at IS NULL AND created_at < %(day)s;

CREATE TEMP TABLE new_orders ON COMMIT DROP AS
WITH counted AS (
    SELECT (SELECT count(*) FROM guests) AS guests, (SELECT coalesce(max(id), 0) FROM orders) AS before,
        (SELECT array_agg(id ORDER BY id) FROM payments WHERE deleted_at IS NULL AND created_at < %(day)s) AS payments
),
placed AS (
    SELECT
        n,
        %(day)s::timestamp
            + width_bucket(pg_temp.dice('hour', n, 1000), ARRAY[12, 19, 23, 26, 29, 34, 46, 71, 113, 165, 223, 283, 339,
                393, 446, 500, 555, 611, 671, 741, 823, 903, 965]::bigint[]) * interval '1 hour'
            + pg_temp.dice('minute', n, 3600000000) * interval '1 microsecond' AS created_at
    FROM generate_series(1, %(orders)s) AS g (n)
),
numbered AS (
    SELECT before + row_number() OVER (ORDER BY created_at, n) AS id, created_at, guests, payments FROM placed, counted
)
SELECT
    id,
    created_at,
    payments[1 + pg_temp.dice('payment', id, cardinality(payments))] AS payment_id,
    1 + pg_temp.dice('lines', id, 3) + pg_temp.dice('more lines', id, 2) AS lines,
    CASE
        WHEN guests > 0 AND pg_temp.dice('newcomer', id, 7) > 0
            THEN pg_temp.dice('guest', id, guests) * pg_temp.dice('regular', id, 1000000) / 1000000
    END AS guest
FROM numbered;
ANALYZE guests, new_orders;

CREATE TEMP TABLE newcomers ON COMMIT DROP AS
SELECT
    id AS order_id,
    (SELECT coalesce(max(id), 0) FROM customers) + row_number() OVER (ORDER BY id) AS id,
    pg_temp.pick('first name', id, %(first_names)s::text[]) AS first_name,
    pg_temp.pick('last name', id, %(last_names)s::text[]) AS last_name,
    greatest(
        %(day)s::timestamp, created_at - pg_temp.dice('signed up', id, 1800000000) * interval '1 microsecond'
    ) AS created_at
FROM new_orders
WHERE guest IS NULL;
ANALYZE newcomers;

INSERT INTO customers (id, first_name, last_name, email, created_at, updated_at)
SELECT id, first_name, last_name, lower(first_name || '.' || replace(last_name, '''', '')) || id || '@mail.example',
    created_at, created_at
FROM newcomers;

INSERT INTO orders (id, customer_id, payment_id, created_at, updated_at)
SELECT o.id, coalesce(n.id, g.id), o.payment_id, o.created_at, o.created_at
FROM new_orders AS o
LEFT JOIN guests AS g ON g.place = o.guest
LEFT JOIN newcomers AS n ON n.order_id = o.id
ORDER BY o.id;

CREATE TEMP TABLE new_details ON COMMIT DROP AS
WITH lines AS (
    SELECT
        o.id,
        o.created_at,
        (SELECT id FROM offer WHERE upto > pg_temp.dice('product', o.id * 8 + line, total.upto) ORDER BY upto LIMIT 1)
            AS product_id,
        1 + pg_temp.dice('quantity', o.id * 8 + line, 3) * pg_temp.dice('more', o.id * 8 + line, 2) AS quantity
    FROM new_orders AS o
    CROSS JOIN LATERAL generate_series(1, o.lines) AS g (line)
    CROSS JOIN (SELECT max(upto) AS upto FROM offer) AS total
),
merged AS (
    SELECT id, product_id, created_at, sum(quantity)::bigint AS quantity FROM lines GROUP BY id, product_id, created_at
)
SELECT
    d.id,
    d.product_id,
    d.quantity,
    CASE WHEN c.moment <= d.created_at THEN c.price ELSE p.price END AS price,
    CASE
        WHEN m.promo_begin <= d.created_at AND m.promo_end > d.created_at
            AND pg_temp.dice('coupon', d.id * 16777213 + d.product_id, 10) < 7 THEN m.id
        WHEN pg_temp.dice('code', d.id * 16777213 + d.product_id, 10) < 3 THEN campaign.id
    END AS promotion_id,
    d.created_at
FROM merged AS d
JOIN offer AS p ON p.id = d.product_id
LEFT JOIN product_changes AS c ON c.id = d.product_id
LEFT JOIN promotions AS m
    ON m.id = CASE WHEN c.moment <= d.created_at THEN c.promotion_id ELSE p.promotion_id END AND m.deleted_at IS NULL
LEFT JOIN (
    SELECT min(id) AS id FROM promotions
    WHERE is_global AND deleted_at IS NULL AND created_at <= %(day)s AND promo_begin <= %(day)s
        AND promo_end >= %(day)s::timestamp + interval '1 day'
) AS campaign ON true;

ANALYZE new_details;

INSERT INTO orderdetails (id, product_id, quantity, price, promotion_id, created_at, updated_at)
SELECT id, product_id, quantity, price, promotion_id, created_at, created_at
FROM new_details
ORDER BY id, product_id;

-- What the sales and the changes leave on the products and in the stock.
CREATE TEMP TABLE sales ON COMMIT DROP AS
SELECT product_id AS id, sum(quantity)::bigint AS units, max(created_at) AS moment,
    sum(quantity)::bigint * pg_temp.dice('reviews', product_id, 40) / 100 AS reviews
FROM new_details
GROUP BY product_id;
ANALYZE sales;

UPDATE products AS p
SET
    price = coalesce(t.price, p.price),
    name = coalesce(t.name, p.name),
    seller_id = coalesce(t.seller_id, p.seller_id),
    brand_id = coalesce(t.brand_id, p.brand_id),
    category_id = coalesce(t.category_id, p.category_id),
    promotion_id = coalesce(t.promotion_id, p.promotion_id),
    sold_count = coalesce(p.sold_count, 0) + coalesce(t.units, 0),
    review_count = coalesce(p.review_count, 0) + coalesce(t.reviews, 0),
    rating_average = CASE
        WHEN t.reviews > 0 THEN round(
            (coalesce(p.rating_average, 0) * coalesce(p.review_count, 0)
                + t.reviews * (300 + pg_temp.dice('rating', p.id, 201)) / 100.0)
                / (coalesce(p.review_count, 0) + t.reviews),
            2
        )
        ELSE p.rating_average
    END,
    updated_at = t.moment
FROM (
    SELECT id, c.price, c.name, c.seller_id, c.brand_id, c.category_id, c.promotion_id, s.units, s.reviews,
        greatest(s.moment, c.moment) AS moment
    FROM sales AS s
    FULL JOIN product_changes AS c USING (id)
) AS t
WHERE p.id = t.id AND p.updated_at < t.moment;

UPDATE inventories AS i
SET
    quantity = greatest(0, i.quantity - s.units) + CASE WHEN i.quantity - s.units < 10 THEN 200 ELSE 0 END,
    updated_at = s.moment
FROM sales AS s
WHERE i.id = s.id AND i.updated_at < s.moment;

CREATE TEMP TABLE new_products ON COMMIT DROP AS
WITH models AS (
    SELECT *, row_number() OVER (ORDER BY pg_temp.dice('model', id, 1000000007), id) AS place FROM offer
)
SELECT
    (SELECT max(id) FROM products) + place AS id,
    split_part(name, ' – ', 1) || ' – '
        || pg_temp.pick('new edition', id, %(adjectives)s::text[]) || ' edition' AS name,
    round(price * (80 + pg_temp.dice('new price', id, 61)) / 100, 2) AS price,
    category_id,
    pg_temp.moment('listed', id) AS created_at,
    seller_id,
    brand_id
FROM models
WHERE place <= (SELECT 1 + count(*) / 200 FROM offer);

INSERT INTO products (id, name, price, original_price, rating_average, review_count, sold_count, category_id, seller_id,
    brand_id, created_at, updated_at)
SELECT id, name, price, price, 0, 0, 0, category_id, seller_id, brand_id, created_at, created_at FROM new_products;

INSERT INTO inventories (id, quantity, created_at, updated_at)
SELECT id, 50 + pg_temp.dice('stock', id, 300), created_at, created_at FROM new_products;
