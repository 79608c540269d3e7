-- The third part of a simulated day: what changes or goes away besides the sales. Follows `simulate_sales.sql` in the
-- same transaction. A table's rows are put in a drawn order; the first few change, by their place in different ways.

UPDATE customers AS c
SET
    last_name = CASE
        WHEN mod(place, 2) = 0 THEN pg_temp.pick('married', c.id, %(last_names)s::text[]) ELSE c.last_name
    END,
    email = lower(c.first_name) || '.' || c.id || '.' || pg_temp.dice('email', c.id, 1000) || '@mail.example',
    updated_at = moment
FROM (
    SELECT g.id, pg_temp.moment('customer', g.id) AS moment,
        row_number() OVER (ORDER BY pg_temp.dice('customer change', g.id, 1000000007), g.id) AS place
    FROM guests AS g
) AS chosen
WHERE c.id = chosen.id AND place <= (SELECT 2 + count(*) / 200 FROM guests) AND c.updated_at < moment;

UPDATE sellers AS s
SET
    name = split_part(s.name, ' & ', 1) || ' & ' || pg_temp.pick('partner', s.id, %(last_names)s::text[]),
    is_best_store = CASE WHEN pg_temp.dice('best', s.id, 3) = 0 THEN NOT s.is_best_store ELSE s.is_best_store END,
    updated_at = moment
FROM (
    SELECT id, pg_temp.moment('seller', id) AS moment, count(*) OVER () AS sellers,
        row_number() OVER (ORDER BY pg_temp.dice('seller change', id, 1000000007), id) AS place
    FROM sellers
    WHERE deleted_at IS NULL AND created_at < %(day)s
) AS chosen
WHERE s.id = chosen.id AND place <= 1 + sellers / 100 AND s.updated_at < moment;

-- On one day in three a category gets another name, and on one in three a brand.
UPDATE categories AS c
SET
    name = split_part(c.name, ' – ', 1) || ' – '
        || pg_temp.pick('category name', c.id, ARRAY['World', 'Selection', 'Essentials']),
    updated_at = pg_temp.moment('category', c.id)
WHERE c.id = (SELECT id FROM categories WHERE deleted_at IS NULL AND created_at < %(day)s
        ORDER BY pg_temp.dice('category change', id, 1000000007), id LIMIT 1)
    AND pg_temp.dice('a category', 0, 3) = 0 AND c.updated_at < pg_temp.moment('category', c.id);

UPDATE brands AS b
SET
    name = split_part(b.name, ' – ', 1) || ' – '
        || pg_temp.pick('brand name', b.id, ARRAY['Group', 'Studio', 'Labs']),
    updated_at = pg_temp.moment('brand', b.id)
WHERE b.id = (SELECT id FROM brands WHERE deleted_at IS NULL AND created_at < %(day)s
        ORDER BY pg_temp.dice('brand change', id, 1000000007), id LIMIT 1)
    AND pg_temp.dice('a brand', 0, 3) = 0 AND b.updated_at < pg_temp.moment('brand', b.id);

UPDATE promotions AS p
SET
    price_treatment = CASE
        WHEN mod(place, 2) = 1
            THEN least(round(p.price_treatment * (80 + pg_temp.dice('treatment', p.id, 41)) / 100, 2),
                CASE WHEN p.coupon_type = 'Percentage' THEN 90 END)
        ELSE p.price_treatment
    END,
    promo_end = CASE WHEN mod(place, 2) = 0 THEN p.promo_end + interval '3 days' ELSE p.promo_end END,
    updated_at = moment
FROM (
    SELECT id, pg_temp.moment('promotion', id) AS moment, count(*) OVER () AS promotions,
        row_number() OVER (ORDER BY pg_temp.dice('promotion change', id, 1000000007), id) AS place
    FROM promotions
    WHERE deleted_at IS NULL AND created_at < %(day)s
) AS chosen
WHERE p.id = chosen.id AND place <= 1 + promotions / 20 AND p.updated_at < moment;

-- Orders of the week before: of a thirtieth, one in three is cancelled, the others change their payment.
UPDATE orders AS o
SET
    payment_id = CASE
        WHEN mod(place, 3) = 1 THEN o.payment_id ELSE pg_temp.other('payment', o.id, o.payment_id, payments)
    END,
    deleted_at = CASE WHEN mod(place, 3) = 1 THEN moment END,
    updated_at = moment
FROM (
    SELECT id, pg_temp.moment('order', id) AS moment, count(*) OVER () AS orders,
        row_number() OVER (ORDER BY pg_temp.dice('order change', id, 1000000007), id) AS place,
        (SELECT array_agg(id::bigint ORDER BY id) FROM payments WHERE deleted_at IS NULL AND created_at < %(day)s)
            AS payments
    FROM orders
    WHERE deleted_at IS NULL AND created_at < %(day)s AND updated_at >= %(day)s::timestamp - interval '7 days'
        AND updated_at < pg_temp.moment('order', id)
) AS chosen
WHERE o.id = chosen.id AND place <= 2 + orders / 30;

UPDATE orderdetails AS d
SET
    quantity = CASE WHEN mod(place, 3) = 1 THEN d.quantity ELSE d.quantity + 1 END,
    deleted_at = CASE WHEN mod(place, 3) = 1 THEN moment END,
    updated_at = moment
FROM (
    SELECT id, product_id, pg_temp.moment('detail', id) AS moment, count(*) OVER () AS details,
        row_number() OVER (
            ORDER BY pg_temp.dice('detail change', id * 16777213 + product_id, 1000000007), id, product_id
        ) AS place
    FROM orderdetails
    WHERE deleted_at IS NULL AND created_at < %(day)s AND updated_at >= %(day)s::timestamp - interval '7 days'
        AND updated_at < pg_temp.moment('detail', id)
) AS chosen
WHERE d.id = chosen.id AND d.product_id = chosen.product_id AND place <= 2 + details / 60;

-- A few customers and products go, as long as enough stay; never one that this day's orders name.
UPDATE customers AS c
SET deleted_at = moment, updated_at = moment
FROM (
    SELECT g.id, pg_temp.moment('farewell', g.id) AS moment, count(*) OVER () AS guests,
        row_number() OVER (ORDER BY pg_temp.dice('customer leaves', g.id, 1000000007), g.id) AS place
    FROM guests AS g
    JOIN customers AS present ON present.id = g.id AND present.updated_at < pg_temp.moment('farewell', g.id)
    WHERE NOT EXISTS (SELECT FROM new_orders AS o WHERE o.guest = g.place)
) AS chosen
WHERE c.id = chosen.id AND guests > 10 AND place <= 1 + guests / 1000;

CREATE TEMP TABLE dropped_products ON COMMIT DROP AS
SELECT id, moment
FROM (
    SELECT id, pg_temp.moment('dropped', id) AS moment, count(*) OVER () AS products,
        row_number() OVER (ORDER BY pg_temp.dice('product leaves', id, 1000000007), id) AS place
    FROM offer
    WHERE updated_at < pg_temp.moment('dropped', id)
        AND NOT EXISTS (SELECT FROM sales AS s WHERE s.id = offer.id)
        AND NOT EXISTS (SELECT FROM product_changes AS c WHERE c.id = offer.id)
) AS chosen
WHERE products > 10 AND place <= 1 + products / 500;

UPDATE products AS p SET deleted_at = d.moment, updated_at = d.moment FROM dropped_products AS d WHERE p.id = d.id;

UPDATE inventories AS i
SET deleted_at = d.moment, updated_at = d.moment
FROM dropped_products AS d
WHERE i.id = d.id AND i.updated_at < d.moment;
