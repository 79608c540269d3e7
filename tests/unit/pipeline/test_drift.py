"""What a source column becomes in the lake."""

import pytest

from rainbow_assets.pipeline.drift import lake_type


@pytest.mark.parametrize(
    ("kind", "precision", "scale", "expected", "strict", "lake"),
    [
        ("integer", 32, 0, "INTEGER", True, "INTEGER"),
        ("smallint", 16, 0, "INTEGER", True, "INTEGER"),
        ("bigint", 64, 0, "INTEGER", True, "BIGINT"),  # a changed type
        ("integer", 32, 0, "BIGINT", True, "BIGINT"),  # fits
        ("character varying", None, None, "VARCHAR", True, "VARCHAR"),
        ("text", None, None, "INTEGER", True, "VARCHAR"),  # a changed type
        ("numeric", None, None, "DECIMAL(18,2)", True, "DECIMAL(18,2)"),
        ("numeric", 10, 4, None, False, "DECIMAL(10,4)"),
        ("numeric", 60, 4, None, False, "DECIMAL(38,4)"),
        ("numeric", None, None, None, False, "DECIMAL(38,10)"),
        ("numeric", 20, 4, "DECIMAL(18,2)", True, "DECIMAL(20,4)"),  # a changed type
        ("numeric", 12, 1, "DECIMAL(18,2)", True, "DECIMAL(18,2)"),  # fits
        ("numeric", 10, 0, "BIGINT", True, "DECIMAL(10,0)"),  # a changed type
        ("timestamp without time zone", None, None, "TIMESTAMP", True, "TIMESTAMP"),
        ("timestamp with time zone", None, None, "TIMESTAMP", True, "TIMESTAMP WITH TIME ZONE"),  # a changed type
        ("jsonb", None, None, None, False, "VARCHAR"),
        ("uuid", None, None, "VARCHAR", True, "UUID"),  # a changed type
        ("uuid", None, None, "VARCHAR", False, "VARCHAR"),  # a column that was new once
    ],
)
def test_lake_type(kind, precision, scale, expected, strict, lake):
    assert lake_type(kind, precision, scale, expected, strict=strict) == lake
