{{ config(unique_key='promotion_key', scope_key='promotion_id') }}

{% set tracked = [
    'name', 'type', 'price_treatment', 'coupon_type', 'is_global', 'promo_begin', 'promo_end'
] %}
{{ dimension(
    'promotion', ref('stg_promotions'), tracked, {-1: {'name': 'Unknown'}, 0: {'name': 'No promotion'}}
) }}
