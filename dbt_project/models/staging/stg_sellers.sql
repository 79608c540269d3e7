{{ config(unique_key=['seller_id', 'updated_at']) }}

{{ stage('sellers', ['seller_id'], {
    'seller_id': ('id', 'bigint'),
    'name': ('name', 'varchar'),
    'link': ('link', 'varchar'),
    'is_best_store': ('is_best_store', 'boolean'),
}) }}
