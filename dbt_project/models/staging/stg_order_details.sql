{{ config(unique_key=['order_id', 'product_id', 'updated_at']) }}

{{ stage('orderdetails', ['order_id', 'product_id'], {
    'order_id': ('id', 'bigint'),
    'product_id': ('product_id', 'bigint'),
    'quantity': ('quantity', 'bigint'),
    'price': ('price', 'decimal(18, 2)'),
    'promotion_id': ('promotion_id', 'bigint'),
}) }}
