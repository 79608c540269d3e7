"""What a source column becomes in the lake."""

import pytest

from rainbow_assets.pipeline.drift import lake_type


@pytest.mark.parametrize(
    ("kind", "precision", "scale", "expected", "lake"),
    [
        ("integer", 32, 0, "INTEGER", "INTEGER"),
        ("smallint", 16, 0, "INTEGER", "INTEGER"),
        ("bigint", 64, 0, "INTEGER", "BIGINT"),  # a changed type
        ("integer", 32, 0, "BIGINT", "BIGINT"),  # fits
        ("character varying", None, None, "VARCHAR", "VARCHAR"),
        ("text", None, None, "INTEGER", "VARCHAR"),  # a changed type
        ("numeric", None, None, "DECIMAL(18,2)", "DECIMAL(18,2)"),
        ("numeric", 10, 4, None, "DECIMAL(10,4)"),
        ("numeric", 60, 4, None, "DECIMAL(38,4)"),
        ("numeric", None, None, None, "DECIMAL(18,2)"),
        ("numeric", 10, 0, "BIGINT", "DECIMAL(10,0)"),  # a changed type
        ("timestamp without time zone", None, None, "TIMESTAMP", "TIMESTAMP"),
        ("timestamp with time zone", None, None, "TIMESTAMP", "VARCHAR"),  # a changed type
        ("jsonb", None, None, None, "VARCHAR"),
    ],
)
def test_lake_type(kind, precision, scale, expected, lake):
    assert lake_type(kind, precision, scale, expected) == lake
