{#
  The discount of a unit, DECIMAL(18,2): exact, rounded half away from zero, held between 0 and the price.

  It is held before it is rounded (the bounds have two decimals, so the order does not matter): what is left then fits
  its type whatever the treatment is. Every operand has the same decimal type, as DuckDB would else find a common one
  with fewer decimals, and round twice. Nothing passes through floating point.
#}
{% macro discount(price, coupon_type, treatment) -%}
    {%- set wide = 'decimal(38, 4)' -%}
    {%- set exact_price = 'cast(' ~ price ~ ' as decimal(36, 2))' -%}
    {%- set exact_treatment = 'cast(coalesce(' ~ treatment ~ ', 0) as decimal(18, 2))' -%}
    case {{ coupon_type }}
        when 'Percentage' then cast(cast(greatest(
            cast(0 as {{ wide }}),
            least(cast({{ exact_price }} * {{ exact_treatment }} as {{ wide }}), cast({{ exact_price }} * 100 as {{ wide }}))
        ) as decimal(24, 4)) * cast(0.01 as decimal(2, 2)) as decimal(18, 2))
        when 'Fixed Amount' then cast(greatest(
            cast(0 as {{ wide }}),
            least(cast({{ price }} as {{ wide }}), cast({{ exact_treatment }} * cast(1000 as decimal(20, 0)) as {{ wide }}))
        ) as decimal(18, 2))
        else cast(0 as decimal(18, 2))
    end
{%- endmacro %}
