{{ config(unique_key=['category_id', 'updated_at']) }}

{{ stage('categories', ['category_id'], {
    'category_id': ('id', 'bigint'),
    'name': ('name', 'varchar'),
    'description': ('description', 'varchar'),
}) }}
