SELECT *, toInt64(rank() OVER (ORDER BY sales_amount DESC)) AS seller_rank
FROM (
    SELECT
        id AS seller_id,
        argMax(tuple(text), place).1 AS seller_name,
        sum(quantity) AS sales_quantity,
        sum(amount) AS sales_amount,
        sum(gain) AS profit
    FROM (
        SELECT seller_id::Int64 AS id, seller_name::Nullable(String) AS text, 1 AS place, sales_quantity AS quantity,
            sales_amount AS amount, profit AS gain, 0 AS sign
        FROM v_top_sellers_batch
        UNION ALL
        SELECT seller_id, NULL, 0, sign * sales_quantity, sign * sales_amount, sign * (sales_amount - discount_amount), sign
        FROM speed_lines
        UNION ALL
        SELECT id, name, 2, 0, 0, 0, 0 FROM speed_newest_names WHERE kind = 'sellers'
    )
    GROUP BY id
    HAVING sales_quantity != 0 OR sales_amount != 0 OR max(sign) = 1 OR min(sign) = 0 AND countIf(place = 1) > 0
)
