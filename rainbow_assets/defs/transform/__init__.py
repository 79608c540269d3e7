"""raw -> staging -> warehouse -> marts: the dbt project."""
