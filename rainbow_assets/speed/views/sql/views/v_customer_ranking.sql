SELECT *, toInt64(rank() OVER (ORDER BY sales_amount DESC)) AS customer_rank
FROM (
    SELECT
        id AS customer_id,
        ifNull(argMax(tuple(text), place).1, '') AS customer_name,
        sum(orders) AS order_count,
        sum(quantity) AS sales_quantity,
        sum(amount) AS sales_amount
    FROM (
        SELECT customer_id::Int64 AS id, customer_name::Nullable(String) AS text, 1 AS place, order_count AS orders,
            sales_quantity AS quantity, sales_amount AS amount
        FROM v_customer_ranking_batch
        UNION ALL
        SELECT customer_id, NULL, 0, order_count, sales_quantity, sales_amount FROM v_customer_ranking_speed
        UNION ALL
        SELECT id, name, 2, 0, 0, 0 FROM speed_newest_names WHERE kind = 'customers'
    )
    GROUP BY id
    HAVING order_count > 0
)
