SELECT
    seller_id,
    sum(sign * lines.sales_quantity) AS sales_quantity,
    sum(sign * lines.sales_amount) AS sales_amount,
    sum(sign * (lines.sales_amount - lines.discount_amount)) AS profit
FROM speed_lines AS lines
GROUP BY seller_id
