SELECT
    sum(sign * sales_quantity) AS total_sales_quantity,
    sum(sign * sales_amount) AS total_sales_amount,
    sum(sign * (sales_amount - discount_amount)) AS total_profit,
    maxOrNullIf(order_date, sign = 1) AS current_run_date
FROM speed_lines
