-- The ten tables as the source holds them: every row in its last state, nothing later than the last day.

CREATE SCHEMA shop;

CREATE VIEW shop.categories AS
SELECT
    c.id,
    c.name,
    c.description,
    getvariable('start') AS created_at,
    CASE WHEN dice('category changed', c.id, 8) < 1 THEN moment('category updated', c.id) ELSE created_at END
        AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM (SELECT unnest(getvariable('categories')) AS c);

CREATE VIEW shop.brands AS
SELECT
    id,
    getvariable('brands')[id] AS name,
    getvariable('start') AS created_at,
    CASE WHEN dice('brand changed', id, 8) < 1 THEN moment('brand updated', id) ELSE created_at END AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM range(1, len(getvariable('brands')) + 1) AS r (id);

CREATE VIEW shop.payments AS
SELECT
    id,
    getvariable('payments')[id].name AS name,
    getvariable('payments')[id].type AS type,
    getvariable('start') AS created_at,
    getvariable('start') AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM range(1, len(getvariable('payments')) + 1) AS r (id);

CREATE VIEW shop.sellers AS FROM main.sellers ORDER BY id;
CREATE VIEW shop.promotions AS FROM main.promotions ORDER BY id;
CREATE VIEW shop.customers AS FROM main.customers ORDER BY id;

CREATE VIEW shop.products AS
SELECT p.* EXCLUDE (rank, seller_rank), s.id AS seller_id
FROM shelf AS p
JOIN main.sellers AS s ON s.rank = p.seller_rank
ORDER BY p.id;

CREATE VIEW shop.inventories AS
SELECT id, stock AS quantity, created_at, updated_at, deleted_at FROM shelf ORDER BY id;

-- A hundredth of the orders is cancelled within three days, a tenth changed within five.
CREATE VIEW shop.orders AS
WITH fated AS (
    SELECT
        *,
        dice('order fate', id, 1000) AS fate,
        placed_at
            + to_microseconds(dice('order later', id, CASE WHEN fate < 10 THEN 3 ELSE 5 END * 86400000000)) AS later
    FROM placed
)
SELECT
    o.id,
    c.id AS customer_id,
    o.payment_id,
    o.placed_at AS created_at,
    CASE WHEN o.fate < 110 AND o.later <= getvariable('end_at') THEN o.later ELSE o.placed_at END AS updated_at,
    CASE WHEN o.fate < 10 AND o.later <= getvariable('end_at') THEN o.later END AS deleted_at
FROM fated AS o
JOIN main.customers AS c ON c.rank = o.customer_rank;

-- The price is the product's at that moment; a promotion counts where it runs and the buyer uses it.
CREATE VIEW shop.orderdetails AS
WITH fated AS (
    SELECT
        *,
        dice('line fate', key, 1000) AS fate,
        placed_at + to_microseconds(dice('line later', key, 3 * 86400000000)) AS later
    FROM lines
)
SELECT
    l.id,
    s.id AS product_id,
    l.quantity,
    CASE WHEN l.placed_at < s.repriced_at THEN s.first_price ELSE s.price END AS price,
    CASE
        WHEN l.placed_at >= m.promo_begin AND l.placed_at < m.promo_end AND dice('coupon', l.key, 10) < 7 THEN m.id
        WHEN dice('code', l.key, 10) < 3 THEN d.promotion_id
    END AS promotion_id,
    l.placed_at AS created_at,
    CASE WHEN l.fate < 20 AND l.later <= getvariable('end_at') THEN l.later ELSE l.placed_at END AS updated_at,
    CASE WHEN l.fate < 5 AND l.later <= getvariable('end_at') THEN l.later END AS deleted_at
FROM fated AS l
JOIN shelf AS s ON s.rank = l.product_rank
LEFT JOIN main.promotions AS m ON m.id = s.promotion_id
LEFT JOIN campaign_days AS d ON d.day = l.day;
