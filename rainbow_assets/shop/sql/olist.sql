-- The Olist files (schema `olist`, one table a file) as the shop's tables (schema `shop`). Text sorts by its bytes.

CREATE SCHEMA shop;

CREATE TABLE placed AS
WITH paid AS (
    SELECT order_id, payment_type, sum(payment_value) AS amount
    FROM olist.order_payments
    GROUP BY order_id, payment_type
),
main_payment AS (
    FROM paid QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY amount DESC, payment_type) = 1
)
SELECT
    row_number() OVER (ORDER BY o.order_id) AS id,
    o.order_id,
    c.customer_unique_id,
    c.customer_city,
    coalesce(p.payment_type, 'not_defined') AS payment_type,
    o.order_purchase_timestamp AS created_at,
    greatest(
        o.order_purchase_timestamp, o.order_approved_at, o.order_delivered_carrier_date, o.order_delivered_customer_date
    ) AS updated_at,
    CASE WHEN o.order_status IN ('canceled', 'unavailable') THEN updated_at END AS deleted_at
FROM olist.orders AS o
JOIN olist.customers AS c ON c.customer_id = o.customer_id
LEFT JOIN main_payment AS p ON p.order_id = o.order_id;

-- What no order names stands from the first day on.
SET VARIABLE first_day = (SELECT date_trunc('day', min(created_at)) FROM placed);
CREATE MACRO first_day(moment) AS coalesce(date_trunc('day', moment), getvariable('first_day'));

CREATE TABLE lines AS
SELECT o.id, o.created_at, i.product_id, i.seller_id, count(*) AS quantity, max(i.price)::DECIMAL(18, 2) AS price
FROM olist.order_items AS i
JOIN placed AS o ON o.order_id = i.order_id
GROUP BY o.id, o.created_at, i.product_id, i.seller_id;

CREATE TABLE named AS
SELECT
    p.product_id,
    coalesce(p.product_category_name, 'unknown') AS category_key,
    coalesce(t.product_category_name_english, category_key) AS category
FROM olist.products AS p
LEFT JOIN olist.translations AS t ON t.product_category_name = p.product_category_name;

CREATE TABLE shop.customers AS
SELECT
    row_number() OVER (ORDER BY c.customer_unique_id) AS id,
    coalesce(arg_min(o.customer_city, (o.created_at, o.id)), min(c.customer_city)) AS first_name,
    c.customer_unique_id AS last_name,
    NULL::VARCHAR AS email,
    first_day(min(o.created_at)) AS created_at,
    first_day(min(o.created_at)) AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM olist.customers AS c
LEFT JOIN placed AS o ON o.customer_unique_id = c.customer_unique_id
GROUP BY c.customer_unique_id;

CREATE TABLE shop.sellers AS
SELECT
    row_number() OVER (ORDER BY s.seller_id) AS id,
    s.seller_id AS name,
    NULL::VARCHAR AS link,
    false AS is_best_store,
    first_day(min(l.created_at)) AS created_at,
    first_day(min(l.created_at)) AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM olist.sellers AS s
LEFT JOIN lines AS l ON l.seller_id = s.seller_id
GROUP BY s.seller_id;

CREATE TABLE category_ids AS
SELECT
    row_number() OVER (ORDER BY n.category_key) AS id,
    n.category_key,
    n.category AS name,
    first_day(min(l.created_at)) AS created_at
FROM named AS n
LEFT JOIN lines AS l ON l.product_id = n.product_id
GROUP BY n.category_key, n.category;

CREATE VIEW shop.categories AS
SELECT id, name, NULL::VARCHAR AS description, created_at, created_at AS updated_at, NULL::TIMESTAMP AS deleted_at
FROM category_ids;

CREATE VIEW shop.brands AS
SELECT
    1 AS id,
    'unbranded' AS name,
    first_day(min(created_at)) AS created_at,
    first_day(min(created_at)) AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM lines;

CREATE TABLE product_ids AS
SELECT
    row_number() OVER (ORDER BY product_id, seller_id) AS id,
    product_id,
    seller_id,
    max(price) AS price,
    first_day(min(created_at)) AS created_at
FROM lines
GROUP BY product_id, seller_id;

CREATE VIEW shop.products AS
SELECT
    p.id,
    n.category || ' ' || left(p.product_id, 8) AS name,
    p.price,
    p.price AS original_price,
    0 AS rating_average,
    0 AS review_count,
    0 AS sold_count,
    c.id AS category_id,
    s.id AS seller_id,
    1 AS brand_id,
    NULL::BIGINT AS promotion_id,
    p.created_at,
    p.created_at AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM product_ids AS p
JOIN named AS n ON n.product_id = p.product_id
JOIN category_ids AS c ON c.category_key = n.category_key
JOIN shop.sellers AS s ON s.name = p.seller_id;

-- A payment type that is no order's main one dates from the first order that used it at all.
CREATE TABLE shop.payments AS
WITH used AS (
    SELECT payment_type, created_at AS main_at, NULL::TIMESTAMP AS used_at FROM placed
    UNION ALL
    SELECT p.payment_type, NULL, o.created_at FROM olist.order_payments AS p JOIN placed AS o ON o.order_id = p.order_id
)
SELECT
    row_number() OVER (ORDER BY payment_type) AS id,
    payment_type AS name,
    payment_type AS type,
    first_day(coalesce(min(main_at), min(used_at))) AS created_at,
    first_day(coalesce(min(main_at), min(used_at))) AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM used
GROUP BY payment_type;

CREATE VIEW shop.orders AS
SELECT o.id, c.id AS customer_id, p.id AS payment_id, o.created_at, o.updated_at, o.deleted_at
FROM placed AS o
JOIN shop.customers AS c ON c.last_name = o.customer_unique_id
JOIN shop.payments AS p ON p.type = o.payment_type
ORDER BY o.id;

CREATE VIEW shop.orderdetails AS
SELECT
    l.id,
    p.id AS product_id,
    l.quantity,
    l.price,
    NULL::BIGINT AS promotion_id,
    l.created_at,
    l.created_at AS updated_at,
    NULL::TIMESTAMP AS deleted_at
FROM lines AS l
JOIN product_ids AS p ON p.product_id = l.product_id AND p.seller_id = l.seller_id
ORDER BY l.id, p.id;

-- Olist knows no promotions and no stock.
CREATE VIEW shop.promotions AS
SELECT
    0 AS id, '' AS name, '' AS type, 0 AS price_treatment, '' AS coupon_type, false AS is_global,
    NULL::TIMESTAMP AS promo_begin, NULL::TIMESTAMP AS promo_end,
    NULL::TIMESTAMP AS created_at, NULL::TIMESTAMP AS updated_at, NULL::TIMESTAMP AS deleted_at
WHERE false;

CREATE VIEW shop.inventories AS
SELECT
    0 AS id, 0 AS quantity,
    NULL::TIMESTAMP AS created_at, NULL::TIMESTAMP AS updated_at, NULL::TIMESTAMP AS deleted_at
WHERE false;
