{{ config(unique_key=['product_id', 'updated_at']) }}

{{ stage('inventories', ['product_id'], {
    'product_id': ('id', 'bigint'),
    'quantity': ('quantity', 'bigint'),
}) }}
