SELECT
    payment_id,
    toInt64(uniqExactIf(order_transaction, sign = 1)) - toInt64(uniqExactIf(order_transaction, sign = -1)) AS order_count,
    sum(sign * lines.sales_amount) AS sales_amount
FROM speed_lines AS lines
GROUP BY payment_id
