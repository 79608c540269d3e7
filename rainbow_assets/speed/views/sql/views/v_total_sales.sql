SELECT
    sum(sales_quantity) AS total_sales_quantity,
    sum(sales_amount) AS total_sales_amount,
    sum(profit) AS total_profit,
    maxOrNull(order_date) AS current_run_date
FROM v_sales_by_day
