"""What counts as another code of a dbt node, and what does not."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from rainbow_assets.transform.model_code import nodes, normalised

Manifest = dict[str, Any]
A, B, C, SEED, TEST = "model.p.a", "model.p.b", "model.p.c", "seed.p.s", "test.p.t"


def node(name: str, kind: str = "model", reads: tuple[str, ...] = (), macros: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "resource_type": kind, "package_name": "p", "schema": "x", "alias": name, "constraints": [],
        "raw_code": f"select 1 as {name}", "checksum": {"checksum": "1"}, "description": "",
        "config": {"materialized": "incremental", "incremental_strategy": "sync", "contract": {"enforced": True},
                   "meta": {}, "tags": [], "severity": "ERROR"},
        "columns": {"a": {"name": "a", "data_type": "integer", "constraints": [], "description": ""}},
        "depends_on": {"nodes": list(reads), "macros": list(macros)},
    }  # fmt: skip


@pytest.fixture
def manifest() -> Manifest:
    """a reads raw.orders and uses a macro that uses another; b reads a, and c the seed."""
    return {
        "nodes": {
            A: node("a", reads=("source.p.raw.orders",), macros=("macro.p.outer", "macro.dbt.is_incremental")),
            B: node("b", reads=(A,)),
            C: node("c", reads=(SEED,)),
            SEED: node("s", "seed") | {"raw_code": ""},
            TEST: node("t", "test", reads=(B,)),
        },
        "sources": {"source.p.raw.orders": {"schema": "raw", "identifier": "orders"}},
        "macros": {
            "macro.p.outer": {"macro_sql": "{% macro outer() %}{{ inner() }}{% endmacro %}",
                              "depends_on": {"macros": ["macro.p.inner"]}},
            "macro.p.inner": {"macro_sql": "x * 0.10", "depends_on": {"macros": []}},
            "macro.p.get_incremental_sync_sql": {"macro_sql": "delete; insert", "depends_on": {"macros": []}},
            "macro.dbt.is_incremental": {"macro_sql": "dbt's", "depends_on": {"macros": []}},
        },
    }  # fmt: skip


def changed(manifest: Manifest, change: Callable[[Manifest], Any]) -> set[str]:
    """The nodes that `change` makes others."""
    before, other = nodes(manifest, {}), copy.deepcopy(manifest)
    change(other)
    after = nodes(other, {})
    return {name for name in after if after[name].code != before[name].code}


def put(path: str, value: object) -> Callable[[Manifest], None]:
    """A change of one value of the manifest, by its place."""

    def change(manifest: Manifest) -> None:
        *steps, last = path.split("/")
        for step in steps:
            manifest = manifest[step]
        manifest[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (f"nodes/{A}/raw_code", "select 2 as a", {A, B, TEST}),
        (f"nodes/{B}/raw_code", "select 1 as b, 2 as c", {B, TEST}),
        ("macros/macro.p.outer/macro_sql", "other", {A, B, TEST}),
        ("macros/macro.p.inner/macro_sql", "x * 0.20", {A, B, TEST}),
        ("macros/macro.p.get_incremental_sync_sql/macro_sql", "other", {A, B, C, SEED, TEST}),
        (f"nodes/{B}/config/materialized", "table", {B, TEST}),
        (f"nodes/{B}/config/unique_key", "a", {B, TEST}),
        (f"nodes/{B}/columns/a/data_type", "bigint", {B, TEST}),
        (f"nodes/{B}/columns/a/constraints", [{"type": "not_null"}], {B, TEST}),
        (f"nodes/{SEED}/checksum", {"checksum": "2"}, {SEED, C}),
        ("sources/source.p.raw.orders/identifier", "other", {A, B, TEST}),
        (f"nodes/{TEST}/raw_code", "select 2", {TEST}),
        # no code
        (f"nodes/{A}/description", "A table.", set()),
        (f"nodes/{A}/columns/a/description", "A column.", set()),
        (f"nodes/{A}/config/meta", {"dagster": {"group": "x"}}, set()),
        (f"nodes/{A}/config/tags", ["x"], set()),
        (f"nodes/{A}/raw_code", "{# a note #}\nselect 1 -- one\n    as /* here */ a\n", set()),
        ("macros/macro.p.inner/macro_sql", "{# why #} x\n  *  0.10", set()),
        ("macros/macro.dbt.is_incremental/macro_sql", "another release of dbt", set()),
    ],
)
def test_what_a_change_makes_others(manifest: Manifest, path: str, value: object, expected: set[str]) -> None:
    assert changed(manifest, put(path, value)) == expected


def test_a_variable_is_code_of_what_uses_it(manifest: Manifest) -> None:
    manifest["macros"]["macro.p.inner"]["macro_sql"] = "x * {{ var('rate') }}"
    one, two = nodes(manifest, {"rate": 1}), nodes(manifest, {"rate": 2})
    assert {name for name in one if one[name].code != two[name].code} == {A, B, TEST}


def test_a_deleted_model_leaves_what_did_not_read_it_as_it_was(manifest: Manifest) -> None:
    def delete(other: Manifest) -> None:
        del other["nodes"][C]

    assert changed(manifest, delete) == set()


def test_a_test_that_only_warns_is_not_waited_for(manifest: Manifest) -> None:
    manifest["nodes"][TEST]["config"]["severity"] = "warn"
    assert set(nodes(manifest, {})) == {A, B, C, SEED}


def test_what_a_node_reads_is_what_all_before_it_read(manifest: Manifest) -> None:
    manifest["nodes"][B]["config"]["meta"] = {"reads": ["ops.coverage"]}
    assert nodes(manifest, {})[TEST].reads == {"raw.orders", "ops.coverage"}


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("select 'a  b'", "select 'a b'"),
        ("select '-- a'", "select '-- b'"),
        ("select 'it''s /* a */'", "select 'it''s /* b */'"),
        ('select "a  b"', 'select "a b"'),
        ("{% set x = 'a  b' %}", "{% set x = 'a b' %}"),
        ("{{ f('-- a') }}", "{{ f('-- b') }}"),
        ("-- depends_on: {{ ref('a') }}", "-- depends_on: {{ ref('b') }}"),
        ("select '{{ f(\"it's\") }}' -- a", "select '{{ f(\"its\") }}' -- a"),
        ("select 1 --one\n+ 1", "select 1 --one + 1"),
        ("select ab", "select a b"),
    ],
)
def test_what_is_quoted_or_rendered_is_code(text: str, other: str) -> None:
    assert normalised(text) != normalised(other)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("select 1", "select\n    1 -- it's one"),
        ("select 1 /* a 'quote */ + 1", "select 1 + 1"),
        ("{# it's #}select 1", "select 1"),
        ("{{ f(1,   2) }}", "{{ f(1,\n 2) }}"),
        ("select 1 -- last line", "select 1"),
    ],
)
def test_comments_and_gaps_are_no_code(text: str, other: str) -> None:
    assert normalised(text) == normalised(other)
