SELECT
    toInt32(toDayOfWeek(order_date)) AS day_of_week,
    toInt64(uniqExactIf(order_transaction, sign = 1)) - toInt64(uniqExactIf(order_transaction, sign = -1)) AS order_count,
    sum(sign * lines.sales_quantity) AS sales_quantity,
    sum(sign * lines.sales_amount) AS sales_amount,
    sum(sign * (lines.sales_amount - lines.discount_amount)) AS profit
FROM speed_lines AS lines
GROUP BY day_of_week
