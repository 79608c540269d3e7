"""Whether a run has something to build, for the steps behind raw: where nothing is new, they leave all as it is.

Not here: what is new (`transform/builds.py`).
"""

from collections.abc import Mapping
from graphlib import TopologicalSorter

import dagster as dg
import duckdb

from rainbow_assets.defs.transform.project import build_nodes
from rainbow_assets.transform import builds, open_checks
from rainbow_assets.transform.model_code import Node


def without_news(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The nodes for which there is nothing to do, each after those it reads; none while a build, or a check of whole
    tables, is open.
    """
    builds.prepare(connection)
    if builds.is_unfinished(connection) or any(check.first is None for check in open_checks.standing(connection)):
        return []
    nodes = build_nodes()
    touched = builds.window(connection, nodes).touched
    # dbt leaves out the tests of a model that it leaves out.
    needed = touched.union(*(nodes[node].parents for node in touched if nodes[node].table is None))
    idle: list[str] = []
    for node in _ordered(nodes):
        if node not in needed and set(nodes[node].parents) <= set(idle):
            idle.append(node)
    return idle


def _ordered(nodes: Mapping[str, Node]) -> list[str]:
    """The nodes, each after those it reads."""
    return list(TopologicalSorter({name: node.parents for name, node in nodes.items()}).static_order())


def built_nothing(run: dg.DagsterRun, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a run could have built tables, and had nothing to build."""
    steps = run.step_keys_to_execute
    return (steps is None or "transform" in steps) and builds.run_of_last(connection) != run.run_id
