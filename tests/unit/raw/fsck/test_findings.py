"""Verdicts on a landing file, from evidence alone."""

from dataclasses import replace
from datetime import date

import pytest

from rainbow_assets.landing import checksum
from rainbow_assets.landing.files import LandingFile
from rainbow_assets.raw.fsck.content import Content, Unreadable
from rainbow_assets.raw.fsck.findings import Entry, Evidence, Kind, judge

DAY = date(2026, 3, 1)
FILE = LandingFile("orders", DAY, "rainbow", "raw/orders/change_date=2026-03-01/x.parquet")
CONTENT = Content(10, 77, DAY, DAY, 10, checksum.text(77))
ENTRY = Entry(10, 500)
HEALTHY = Evidence(FILE, 500, (ENTRY,), (ENTRY,), CONTENT)


def kinds(evidence: Evidence) -> list[tuple[Kind, bool]]:
    return [(finding.kind, finding.is_mendable) for finding in judge(evidence)]


def test_a_healthy_file_has_no_findings():
    assert kinds(HEALTHY) == []
    assert kinds(replace(HEALTHY, content=None)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": None}, [(Kind.missing, False)]),
        ({"size": None, "ducklake": ()}, [(Kind.missing, False)]),
        ({"ducklake": ()}, [(Kind.orphaned, True)]),
        ({"ducklake": (), "iceberg": ()}, [(Kind.orphaned, True)]),
        ({"ducklake": (), "content": None}, [(Kind.orphaned, False)]),
        ({"ducklake": (), "iceberg": (), "objection": "no"}, [(Kind.orphaned, False)]),
        ({"ducklake": (ENTRY, ENTRY)}, [(Kind.doubled, True)]),
        ({"iceberg": (ENTRY, ENTRY, ENTRY)}, [(Kind.doubled, True)]),
        ({"size": 501}, [(Kind.altered, False)]),
        ({"iceberg": (Entry(11, 500),)}, [(Kind.miscounted, False)]),
        ({"content": replace(CONTENT, rows=9)}, [(Kind.miscounted, False)]),
        ({"content": replace(CONTENT, written_rows=9)}, [(Kind.miscounted, False)]),
        ({"content": replace(CONTENT, checksum=78)}, [(Kind.altered, False)]),
        ({"content": replace(CONTENT, written_checksum="0.1:78")}, []),
        ({"content": replace(CONTENT, written_checksum=None, written_rows=None)}, []),
        ({"content": replace(CONTENT, last=date(2026, 3, 2))}, [(Kind.misdated, False)]),
        ({"content": Unreadable("why")}, [(Kind.broken, False)]),
        ({"twin": "s3://rainbow/older"}, [(Kind.doubled, True)]),
        ({"twin": "s3://rainbow/older", "iceberg": ()}, [(Kind.doubled, True)]),
        ({"twin": "s3://rainbow/older", "size": 501}, [(Kind.altered, False)]),
        ({"is_doomed": True}, [(Kind.endangered, True)]),
        (
            {"iceberg": (), "content": replace(CONTENT, checksum=78)},
            [(Kind.altered, False), (Kind.orphaned, False)],
        ),
    ],
)
def test_each_fault_has_its_name_and_only_what_loses_nothing_is_mended(change, expected):
    assert kinds(replace(HEALTHY, **change)) == expected


def test_a_finding_says_what_where_and_what_to_do():
    [finding] = judge(replace(HEALTHY, size=None, ducklake=()))
    assert finding.where == "s3://rainbow/raw/orders/change_date=2026-03-01/x.parquet"
    assert finding.what == "10 rows registered in Iceberg, and no such object"
    assert "`rainbow run 2026-03-01`" in finding.remedy
