-- The contract's batch views as PostgreSQL computes them from the shop's current rows. They are those of the warehouse
-- where no version of a product or promotion but the current one counts.
CREATE TEMPORARY VIEW sales AS
SELECT
    o.id AS order_id, o.created_at::date AS day, o.customer_id, o.payment_id, d.product_id, d.quantity,
    d.quantity * d.price AS amount,
    d.quantity * CASE p.coupon_type
        WHEN 'Percentage' THEN round(least(greatest(d.price * p.price_treatment / 100, 0), d.price), 2)
        WHEN 'Fixed Amount' THEN least(greatest(p.price_treatment * 1000, 0), d.price)
        ELSE 0
    END AS discount
FROM orders AS o
JOIN orderdetails AS d ON d.id = o.id
LEFT JOIN promotions AS p ON p.id = d.promotion_id
WHERE o.deleted_at IS NULL AND d.deleted_at IS NULL;

CREATE TEMPORARY VIEW total_sales AS
SELECT sum(quantity) AS q, sum(amount) AS a, sum(amount - discount) AS profit, max(day) AS newest FROM sales;

CREATE TEMPORARY VIEW sales_by_day AS
SELECT day, count(DISTINCT order_id) AS n, sum(quantity) AS q, sum(amount) AS a, sum(discount) AS d,
    sum(amount - discount) AS profit
FROM sales GROUP BY day;

CREATE TEMPORARY VIEW sales_by_day_of_week AS
SELECT extract(isodow FROM day)::int AS weekday, to_char(day, 'FMDay') AS name, count(DISTINCT order_id) AS n,
    sum(quantity) AS q, sum(amount) AS a, sum(amount - discount) AS profit
FROM sales GROUP BY 1, 2;

CREATE TEMPORARY VIEW top_sellers AS
SELECT s.id, s.name, sum(quantity) AS q, sum(amount) AS a, sum(amount - discount) AS profit,
    rank() OVER (ORDER BY sum(amount) DESC) AS place
FROM sales JOIN products AS p ON p.id = sales.product_id JOIN sellers AS s ON s.id = p.seller_id GROUP BY s.id, s.name;

CREATE TEMPORARY VIEW top_products_by_category AS
SELECT * FROM (
    SELECT c.name AS category, p.id, p.name AS product, sum(quantity) AS q, sum(amount) AS a, sum(amount - discount) AS profit,
        row_number() OVER (PARTITION BY c.name ORDER BY sum(amount - discount) DESC, p.id) AS place
    FROM sales JOIN products AS p ON p.id = sales.product_id JOIN categories AS c ON c.id = p.category_id
    GROUP BY c.name, p.id, p.name
) AS ranked WHERE place <= 5;

CREATE TEMPORARY VIEW payment_methods AS
SELECT p.id, p.name, p.type, count(DISTINCT order_id) AS n,
    round(count(DISTINCT order_id) / sum(count(DISTINCT order_id)) OVER (), 6) AS part, sum(amount) AS a
FROM sales JOIN payments AS p ON p.id = sales.payment_id GROUP BY p.id, p.name, p.type;

CREATE TEMPORARY VIEW customer_ranking AS
SELECT c.id, concat_ws(' ', c.first_name, c.last_name) AS name, count(DISTINCT order_id) AS n, sum(quantity) AS q,
    sum(amount) AS a, rank() OVER (ORDER BY sum(amount) DESC) AS place
FROM sales JOIN customers AS c ON c.id = sales.customer_id GROUP BY c.id;
