{{ config(unique_key=['promotion_id', 'updated_at']) }}

{{ stage('promotions', ['promotion_id'], {
    'promotion_id': ('id', 'bigint'),
    'name': ('name', 'varchar'),
    'type': ('type', 'varchar'),
    'price_treatment': ('price_treatment', 'decimal(18, 2)'),
    'coupon_type': ('coupon_type', 'varchar'),
    'is_global': ('is_global', 'boolean'),
    'promo_begin': ('promo_begin', 'timestamp'),
    'promo_end': ('promo_end', 'timestamp'),
}) }}
