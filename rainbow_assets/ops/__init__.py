"""What keeps the lakehouse small and tells about it: records, versions, doctor, maintenance, alerts. No Dagster."""
