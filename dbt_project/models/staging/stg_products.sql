{{ config(unique_key=['product_id', 'updated_at']) }}

{{ stage('products', ['product_id'], {
    'product_id': ('id', 'bigint'),
    'name': ('name', 'varchar'),
    'price': ('price', 'decimal(18, 2)'),
    'original_price': ('original_price', 'decimal(18, 2)'),
    'rating_average': ('rating_average', 'decimal(18, 2)'),
    'review_count': ('review_count', 'bigint'),
    'sold_count': ('sold_count', 'bigint'),
    'category_id': ('category_id', 'bigint'),
    'seller_id': ('seller_id', 'bigint'),
    'brand_id': ('brand_id', 'bigint'),
    'promotion_id': ('promotion_id', 'bigint'),
}) }}
