SELECT
    id AS product_id,
    argMax(tuple(kind), place).1 AS category,
    argMax(tuple(text), place).1 AS product_name,
    sum(quantity) AS sales_quantity,
    sum(amount) AS sales_amount,
    sum(gain) AS profit
FROM (
    SELECT product_id AS id, category AS kind, product_name AS text, 1 AS place, sales_quantity AS quantity,
        sales_amount AS amount, profit AS gain, 0 AS sign
    FROM speed_product_sales
    WHERE publication = (SELECT max(publication) FROM publications)
    UNION ALL
    SELECT product_id, 'Unknown', 'Unknown', 0, sign * sales_quantity, sign * sales_amount,
        sign * (sales_amount - discount_amount), sign
    FROM speed_lines
    UNION ALL
    SELECT id, detail, name, 2, 0, 0, 0, 0 FROM speed_newest_names WHERE kind = 'products'
)
GROUP BY id
HAVING sales_quantity != 0 OR sales_amount != 0 OR max(sign) = 1 OR min(sign) = 0 AND countIf(place = 1) > 0
