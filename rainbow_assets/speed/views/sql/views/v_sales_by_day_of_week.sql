SELECT
    weekday AS day_of_week,
    ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][weekday] AS day_name,
    sum(orders) AS order_count,
    sum(quantity) AS sales_quantity,
    sum(amount) AS sales_amount,
    sum(gain) AS profit
FROM (
    SELECT day_of_week AS weekday, order_count AS orders, sales_quantity AS quantity, sales_amount AS amount,
        profit AS gain
    FROM v_sales_by_day_of_week_batch
    UNION ALL
    SELECT * FROM v_sales_by_day_of_week_speed
)
GROUP BY weekday
HAVING order_count > 0
