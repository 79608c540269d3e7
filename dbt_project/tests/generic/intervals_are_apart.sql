{# The versions of one entity have a length and do not overlap. #}
{% test intervals_are_apart(model, id) %}
select {{ id }}, valid_from, valid_to
from {{ model }}
qualify valid_from >= valid_to or lead(valid_from) over (partition by {{ id }} order by valid_from) < valid_to
{% endtest %}
