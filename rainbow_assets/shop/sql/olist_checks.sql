-- What is wrong in the files beyond their form: one row a fault, with the file, the line, the column and the reason.

CREATE VIEW faults AS
WITH keys AS (
    SELECT 'customers' AS file, line, 'customer_id' AS field, customer_id AS key FROM olist.customers
    UNION ALL
    SELECT 'sellers', line, 'seller_id', seller_id FROM olist.sellers
    UNION ALL
    SELECT 'products', line, 'product_id', product_id FROM olist.products
    UNION ALL
    SELECT 'translations', line, 'product_category_name', product_category_name FROM olist.translations
    UNION ALL
    SELECT 'orders', line, 'order_id', order_id FROM olist.orders
    UNION ALL
    SELECT 'order_payments', line, 'payment_sequential', order_id || ', ' || payment_sequential
    FROM olist.order_payments
    UNION ALL
    SELECT 'order_items', line, 'order_item_id', order_id || ', ' || order_item_id FROM olist.order_items
),
twice AS (
    FROM keys QUALIFY row_number() OVER (PARTITION BY file, key ORDER BY line) > 1
),
references_to AS (
    SELECT 'orders' AS file, line, 'customer_id' AS field, customer_id AS key, 'customers' AS target FROM olist.orders
    UNION ALL
    SELECT 'order_payments', line, 'order_id', order_id, 'orders' FROM olist.order_payments
    UNION ALL
    SELECT 'order_items', line, 'order_id', order_id, 'orders' FROM olist.order_items
    UNION ALL
    SELECT 'order_items', line, 'product_id', product_id, 'products' FROM olist.order_items
    UNION ALL
    SELECT 'order_items', line, 'seller_id', seller_id, 'sellers' FROM olist.order_items
),
prices AS (
    SELECT
        line,
        price,
        first_value(price) OVER (PARTITION BY order_id, product_id, seller_id ORDER BY line) AS first_price
    FROM olist.order_items
),
times AS (
    SELECT line, field, moment FROM (
        UNPIVOT olist.orders
        ON order_purchase_timestamp, order_approved_at, order_delivered_carrier_date, order_delivered_customer_date
        INTO NAME field VALUE moment
    )
)
SELECT file, line, field, 'the key ' || key || ' stands there twice' AS reason FROM twice
UNION ALL
SELECT r.file, r.line, r.field, r.key || ' is unknown in the ' || r.target || ' file'
FROM references_to AS r
ANTI JOIN keys AS k ON k.file = r.target AND k.key = r.key
UNION ALL
SELECT 'order_items', line, 'price', 'the price ' || price || ' is negative or has parts of a cent'
FROM prices
WHERE price < 0 OR price <> round(price, 2)
UNION ALL
SELECT
    'order_items', line, 'price',
    'the price ' || price || ' differs from ' || first_price || ' earlier in the same order'
FROM prices
WHERE price <> first_price
UNION ALL
SELECT 'orders', line, field, 'the time ' || moment || ' is not between the years 2000 and 2100'
FROM times
WHERE moment < '2000-01-01' OR moment >= '2100-01-01';
