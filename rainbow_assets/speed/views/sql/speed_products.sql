-- What every product sold by the facts of a publication. The batch view has the first five of each category only.
INSERT INTO speed_product_sales
SELECT
    {publication} AS publication,
    facts.product_id AS product_id,
    if(products.product_id = facts.product_id, products.category, 'Unknown') AS category,
    if(products.product_id = facts.product_id, products.name, 'Unknown') AS product_name,
    facts.sales_quantity,
    facts.sales_amount,
    facts.profit
FROM (
    SELECT
        product_id,
        sum(sales_quantity) AS sales_quantity,
        sum(extended_sales_amount) AS sales_amount,
        sum(extended_sales_amount) - sum(extended_discount_amount) AS profit
    FROM {fact_sales}
    GROUP BY product_id
) AS facts
LEFT JOIN (
    SELECT product_id, argMax(tuple(category), valid_from).1 AS category, argMax(tuple(name), valid_from).1 AS name
    FROM {dim_products}
    GROUP BY product_id
) AS products ON facts.product_id = products.product_id
