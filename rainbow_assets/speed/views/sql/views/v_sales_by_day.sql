SELECT
    day AS order_date,
    sum(orders) AS order_count,
    sum(quantity) AS sales_quantity,
    sum(amount) AS sales_amount,
    sum(discount) AS discount_amount,
    sum(gain) AS profit
FROM (
    SELECT order_date AS day, order_count AS orders, sales_quantity AS quantity, sales_amount AS amount,
        discount_amount AS discount, profit AS gain
    FROM v_sales_by_day_batch
    UNION ALL
    SELECT * FROM v_sales_by_day_speed
)
GROUP BY day
HAVING order_count > 0
