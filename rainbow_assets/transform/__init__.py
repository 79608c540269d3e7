"""raw -> marts: what a build has to do, and what must hold of it. The SQL is dbt's (`dbt_project/`). No Dagster."""
