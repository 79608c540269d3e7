{#
  The discount of a unit, DECIMAL(18,2): exact, rounded half away from zero, held between 0 and the price.

  It is held before it is rounded (the bounds have two decimals, so the order does not matter): what is left then fits
  its type whatever the treatment is. Nothing passes through floating point.
#}
{% macro discount(price, coupon_type, treatment) -%}
    {%- set exact_price = 'cast(' ~ price ~ ' as decimal(36, 2))' -%}
    {%- set exact_treatment = 'coalesce(' ~ treatment ~ ', 0)' -%}
    cast(case {{ coupon_type }}
        when 'Percentage' then
            cast(greatest(0, least({{ exact_price }} * {{ exact_treatment }}, {{ exact_price }} * 100)) as decimal(24, 4))
            * 0.01
        when 'Fixed Amount' then greatest(0, least({{ price }}, cast({{ exact_treatment }} as decimal(36, 2)) * 1000))
        else 0
    end as decimal(18, 2))
{%- endmacro %}
