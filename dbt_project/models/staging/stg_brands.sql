{{ config(unique_key=['brand_id', 'updated_at']) }}

{{ stage('brands', ['brand_id'], {
    'brand_id': ('id', 'bigint'),
    'name': ('name', 'varchar'),
}) }}
