-- The seven batch views.

CREATE TABLE lake.marts.total_sales AS
SELECT
    coalesce(sum(sales_quantity), 0)::BIGINT AS total_sales_quantity,
    coalesce(sum(extended_sales_amount), 0)::DECIMAL(38,2) AS total_sales_amount,
    coalesce(sum(extended_sales_amount) - sum(extended_discount_amount), 0)::DECIMAL(38,2) AS total_profit,
    strptime(max(date_key)::VARCHAR, '%Y%m%d')::DATE AS current_run_date
FROM lake.warehouse.fact_sales;

CREATE TABLE lake.marts.sales_by_day AS
SELECT
    strptime(date_key::VARCHAR, '%Y%m%d')::DATE AS order_date,
    count(DISTINCT order_transaction) AS order_count,
    sum(sales_quantity)::BIGINT AS sales_quantity,
    sum(extended_sales_amount) AS sales_amount,
    sum(extended_discount_amount) AS discount_amount,
    sum(extended_sales_amount) - sum(extended_discount_amount) AS profit
FROM lake.warehouse.fact_sales
GROUP BY date_key;

CREATE TABLE lake.marts.sales_by_day_of_week AS
SELECT
    d.day_of_week, d.day_name,
    count(DISTINCT order_transaction) AS order_count,
    sum(sales_quantity)::BIGINT AS sales_quantity,
    sum(extended_sales_amount) AS sales_amount,
    sum(extended_sales_amount) - sum(extended_discount_amount) AS profit
FROM lake.warehouse.fact_sales JOIN lake.warehouse.dim_dates AS d USING (date_key)
GROUP BY ALL;

CREATE TABLE lake.marts.top_sellers AS
SELECT
    seller_id, any_value(newest.name) AS seller_name,
    sum(sales_quantity)::BIGINT AS sales_quantity,
    sum(extended_sales_amount) AS sales_amount,
    sum(extended_sales_amount) - sum(extended_discount_amount) AS profit,
    rank() OVER (ORDER BY sum(extended_sales_amount) DESC) AS seller_rank
FROM lake.warehouse.fact_sales
JOIN lake.warehouse.dim_sellers USING (seller_key)
JOIN (
    SELECT seller_id, name FROM lake.warehouse.dim_sellers
    QUALIFY row_number() OVER (PARTITION BY seller_id ORDER BY valid_from DESC) = 1
) AS newest USING (seller_id)
GROUP BY seller_id;

CREATE TABLE lake.marts.top_products_by_category AS
WITH products AS (
    SELECT
        coalesce(category, 'Unknown') AS category, product_id, any_value(coalesce(name, 'Unknown')) AS product_name,
        sum(sales_quantity)::BIGINT AS sales_quantity,
        sum(extended_sales_amount) AS sales_amount,
        sum(extended_sales_amount) - sum(extended_discount_amount) AS profit
    FROM lake.warehouse.fact_sales
    LEFT JOIN (
        SELECT product_id, category, name FROM lake.warehouse.dim_products
        QUALIFY row_number() OVER (PARTITION BY product_id ORDER BY valid_from DESC) = 1
    ) AS newest USING (product_id)
    GROUP BY ALL
)

SELECT *, row_number() OVER (PARTITION BY category ORDER BY profit DESC, product_id) AS profit_rank
FROM products
QUALIFY profit_rank <= 5;

CREATE TABLE lake.marts.payment_methods AS
SELECT
    payment_id, any_value(newest.name) AS payment_name, any_value(newest.type) AS payment_type,
    count(DISTINCT order_transaction) AS order_count,
    (count(DISTINCT order_transaction) / sum(count(DISTINCT order_transaction)) OVER ())::DECIMAL(9,6) AS order_share,
    sum(extended_sales_amount) AS sales_amount
FROM lake.warehouse.fact_sales
JOIN lake.warehouse.dim_payments USING (payment_key)
JOIN (
    SELECT payment_id, name, type FROM lake.warehouse.dim_payments
    QUALIFY row_number() OVER (PARTITION BY payment_id ORDER BY valid_from DESC) = 1
) AS newest USING (payment_id)
GROUP BY payment_id;

CREATE TABLE lake.marts.customer_ranking AS
SELECT
    customer_id, any_value(concat_ws(' ', newest.first_name, newest.last_name)) AS customer_name,
    count(DISTINCT order_transaction) AS order_count,
    sum(sales_quantity)::BIGINT AS sales_quantity,
    sum(extended_sales_amount) AS sales_amount,
    rank() OVER (ORDER BY sum(extended_sales_amount) DESC) AS customer_rank
FROM lake.warehouse.fact_sales
JOIN lake.warehouse.dim_customers USING (customer_key)
JOIN (
    SELECT customer_id, first_name, last_name FROM lake.warehouse.dim_customers
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY valid_from DESC) = 1
) AS newest USING (customer_id)
GROUP BY customer_id;
