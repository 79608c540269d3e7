{{ config(meta={
    "dagster": {"ref": {"name": "quarantine"}},
    "description": "Every faulty row of raw is listed, with its reason.",
}) }}
-- Every faulty raw row of the window is listed.
with faults as (
    {{ faulty_rows() }}
)

select
    faults.table_name,
    faults.row_key,
    faults.updated_at,
    faults.reason
from faults
left join {{ ref('quarantine') }} as quarantined on faults.quarantine_id = quarantined.quarantine_id
where quarantined.quarantine_id is null
