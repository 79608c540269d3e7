"""landing -> raw: the same files in both catalogs, what they must hold, and their repair. No Dagster."""
