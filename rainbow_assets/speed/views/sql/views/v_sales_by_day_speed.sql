SELECT
    order_date,
    toInt64(uniqExactIf(order_transaction, sign = 1)) - toInt64(uniqExactIf(order_transaction, sign = -1)) AS order_count,
    sum(sign * lines.sales_quantity) AS sales_quantity,
    sum(sign * lines.sales_amount) AS sales_amount,
    sum(sign * lines.discount_amount) AS discount_amount,
    sum(sign * (lines.sales_amount - lines.discount_amount)) AS profit
FROM speed_lines AS lines
GROUP BY order_date
