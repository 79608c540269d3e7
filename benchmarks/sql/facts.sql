-- The calendar, the seller of a product over time, and the facts, joined by point in time.

CREATE TABLE lake.warehouse.dim_dates AS
SELECT
    (year(date) * 10000 + month(date) * 100 + day(date))::INTEGER AS date_key, date::DATE AS date,
    day(date)::INTEGER AS day, month(date)::INTEGER AS month, year(date)::INTEGER AS year,
    quarter(date)::INTEGER AS quarter, week(date)::INTEGER AS week, isodow(date)::INTEGER AS day_of_week,
    dayname(date) AS day_name, isodow(date) >= 6 AS is_weekend, monthname(date) AS month_name,
    dayofyear(date)::INTEGER AS day_of_year, date_trunc('month', date)::DATE AS first_day_of_month,
    last_day(date) AS last_day_of_month
FROM (
    SELECT unnest(generate_series(
        make_date(min(year(created_at)), 1, 1), make_date(max(year(created_at)), 12, 31), INTERVAL 1 DAY
    )) AS date
    FROM lake.staging.stg_orders
);

CREATE TABLE lake.staging.stg_product_sellers AS
WITH versions AS (
    SELECT *, lag(seller_id) OVER w IS DISTINCT FROM seller_id AS is_new
    FROM lake.staging.stg_products
    WINDOW w AS (PARTITION BY product_id ORDER BY updated_at)
)

SELECT
    product_id, seller_id,
    CASE WHEN lag(updated_at) OVER w IS NULL THEN '-infinity' ELSE updated_at END AS begins
FROM versions
WHERE is_new
WINDOW w AS (PARTITION BY product_id ORDER BY updated_at);

CREATE MACRO memory.main.begins(before, valid_from) AS
    CASE WHEN before IS NULL THEN '-infinity'::TIMESTAMP ELSE valid_from END;

CREATE TABLE lake.warehouse.fact_sales AS
WITH orders AS (
    SELECT * FROM lake.staging.stg_orders
    QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY updated_at DESC) = 1
),

details AS (
    SELECT * FROM lake.staging.stg_order_details
    QUALIFY row_number() OVER (PARTITION BY order_id, product_id ORDER BY updated_at DESC) = 1
),

customers AS (
    SELECT *, memory.main.begins(lag(valid_from) OVER w, valid_from) AS begins FROM lake.warehouse.dim_customers
    WINDOW w AS (PARTITION BY customer_id ORDER BY valid_from)
),

payments AS (
    SELECT *, memory.main.begins(lag(valid_from) OVER w, valid_from) AS begins FROM lake.warehouse.dim_payments
    WINDOW w AS (PARTITION BY payment_id ORDER BY valid_from)
),

promotions AS (
    SELECT *, memory.main.begins(lag(valid_from) OVER w, valid_from) AS begins FROM lake.warehouse.dim_promotions
    WINDOW w AS (PARTITION BY promotion_id ORDER BY valid_from)
),

products AS (
    SELECT *, memory.main.begins(lag(valid_from) OVER w, valid_from) AS begins FROM lake.warehouse.dim_products
    WINDOW w AS (PARTITION BY product_id ORDER BY valid_from)
),

sellers AS (
    SELECT *, memory.main.begins(lag(valid_from) OVER w, valid_from) AS begins FROM lake.warehouse.dim_sellers
    WINDOW w AS (PARTITION BY seller_id ORDER BY valid_from)
),

keyed AS (
    SELECT
        o.order_id, o.created_at, d.product_id, d.quantity, d.price,
        p.product_key, s.seller_key, m.promotion_key, c.customer_key, y.payment_key,
        (CASE m.coupon_type
            WHEN 'Percentage' THEN
                least(greatest(d.price::DECIMAL(36,2) * m.price_treatment, 0), d.price::DECIMAL(36,2) * 100)
                    ::DECIMAL(24,4) * 0.01
            WHEN 'Fixed Amount' THEN least(greatest(m.price_treatment::DECIMAL(36,2) * 1000, 0), d.price)
            ELSE 0
        END)::DECIMAL(18,2) AS discount
    FROM orders AS o
    JOIN details AS d USING (order_id)
    ASOF LEFT JOIN customers AS c ON o.customer_id = c.customer_id AND o.created_at >= c.begins
    ASOF LEFT JOIN payments AS y ON o.payment_id = y.payment_id AND o.created_at >= y.begins
    ASOF LEFT JOIN promotions AS m ON coalesce(d.promotion_id, 0) = m.promotion_id AND o.created_at >= m.begins
    ASOF LEFT JOIN products AS p ON d.product_id = p.product_id AND o.created_at >= p.begins
    ASOF LEFT JOIN lake.staging.stg_product_sellers AS ps
        ON d.product_id = ps.product_id AND o.created_at >= ps.begins
    ASOF LEFT JOIN sellers AS s ON ps.seller_id = s.seller_id AND o.created_at >= s.begins
    WHERE o.deleted_at IS NULL AND d.deleted_at IS NULL
)

SELECT
    (year(created_at) * 10000 + month(created_at) * 100 + day(created_at))::INTEGER AS date_key,
    coalesce(product_key, -1) AS product_key,
    coalesce(seller_key, -1) AS seller_key,
    coalesce(promotion_key, -1) AS promotion_key,
    coalesce(customer_key, -1) AS customer_key,
    coalesce(payment_key, -1) AS payment_key,
    order_id AS order_transaction,
    product_id,
    quantity AS sales_quantity,
    price AS regular_unit_price,
    discount AS discount_unit_price,
    (price - discount)::DECIMAL(18,2) AS net_unit_price,
    (quantity * price)::DECIMAL(18,2) AS extended_sales_amount,
    (quantity * discount)::DECIMAL(18,2) AS extended_discount_amount
FROM keyed;
