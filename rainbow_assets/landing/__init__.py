"""source -> landing: what the source gave, as append-only files. No Dagster."""
