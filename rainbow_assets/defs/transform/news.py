"""Whether a run has something to build, for the steps behind raw: where nothing is new, they leave all as it is.

Not here: what is new (`pipeline/builds.py`).
"""

import dagster as dg
import duckdb

from rainbow_assets.defs.transform.project import build_nodes
from rainbow_assets.pipeline import builds, open_checks


def without_news(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The nodes for which there is nothing to do; none while a build or a check of whole tables is open."""
    builds.prepare(connection)
    if builds.is_unfinished(connection) or any(check.first is None for check in open_checks.standing(connection)):
        return frozenset()
    nodes = build_nodes()
    touched = builds.window(connection, nodes).touched
    # dbt leaves out the tests of a model that it leaves out.
    needed = touched.union(*(nodes[node].parents for node in touched if nodes[node].table is None))
    return frozenset(nodes.keys() - needed)


def built_nothing(run: dg.DagsterRun, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a run could have built tables, and had nothing to build."""
    steps = run.step_keys_to_execute
    return (steps is None or "transform" in steps) and builds.run_of_last(connection) != run.run_id
