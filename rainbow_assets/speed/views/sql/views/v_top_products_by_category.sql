SELECT category, product_id, product_name, sales_quantity, sales_amount, profit, toInt64(place) AS profit_rank
FROM (
    SELECT *, row_number() OVER (PARTITION BY category ORDER BY profit DESC, product_id) AS place
    FROM speed_all_products
)
WHERE place <= 5
