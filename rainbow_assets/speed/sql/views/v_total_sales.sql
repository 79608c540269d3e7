SELECT
    sum(quantity) AS total_sales_quantity,
    sum(amount) AS total_sales_amount,
    sum(gain) AS total_profit,
    (SELECT maxOrNull(order_date) FROM v_sales_by_day) AS current_run_date
FROM (
    SELECT total_sales_quantity AS quantity, total_sales_amount AS amount, total_profit AS gain
    FROM v_total_sales_batch
    UNION ALL
    SELECT * EXCEPT (current_run_date) FROM v_total_sales_speed
)
