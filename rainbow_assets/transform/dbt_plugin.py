"""dbt's connection to the lake: the same one that `ducklake.connect` makes.

Here: the hooks that dbt-duckdb calls when it opens a connection, and what of Rainbow's own dbt's macros find there. Not
here: what the connection consists of (`systems/ducklake.py`), what a build has to do (`builds.py`) and what dbt runs
(`dbt_project/`).
"""

import json
import weakref
from contextlib import ExitStack
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.factory import FACTORY
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt_common.invocation import get_invocation_id

from rainbow_assets import environment
from rainbow_assets.errors import TransientError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, postgres
from rainbow_assets.systems.duckdb_engine import options
from rainbow_assets.transform import builds
from rainbow_assets.transform.model_code import Node, nodes

BUILDS = {"build", "run"}


class Plugin(BasePlugin):
    """Loads the extensions, sets the secrets and attaches the lake, outside of dbt's log.

    It holds the warehouse's lock as long as dbt's connection lives: two writers of one table would collide, and dbt may
    outlive the run that started it.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's signature
        """Read the settings once for each run of dbt, which may have been started by hand."""
        environment.guard()
        self.settings = Settings.load()

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:  # noqa: ANN401, ARG002
        """Open DuckDB as everywhere else."""
        config.update(options())

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Wait for the warehouse's lock, set up DuckDB, attach the lake, and say what a build has to do.

        Raises:
            TransientError: the catalog does not answer.
            SettingsError: a setting of the lake is missing.
        """
        try:
            self._configure(conn)
        except TransientError as error:  # dbt keeps the text alone: dbt_failures.py finds the class in it
            raise TransientError(f"{TransientError.__name__}: {error}") from error

    def _configure(self, conn: duckdb.DuckDBPyConnection) -> None:
        held = ExitStack()
        weakref.finalize(self, held.close)
        held.enter_context(postgres.lock(self.settings.secret("catalog_url"), "RAINBOW_CATALOG_URL", "warehouse"))
        for statement in ducklake.setup_statements(self.settings):
            conn.execute(statement)
        try:
            for statement in ducklake.attach_statements(self.settings):
                conn.execute(statement)
        except duckdb.Error as error:
            raise ducklake.catalog_error(error) from None
        flags: Any = get_flags()  # type: ignore[no-untyped-call]
        if flags.WHICH in BUILDS:
            _say_what_to_do(conn, flags.WHICH == "build", bool(flags.FULL_REFRESH))


def _say_what_to_do(connection: duckdb.DuckDBPyConnection, tests: bool, full_refresh: bool) -> None:
    """Fill `memory.main.build_window` and `build_nodes`, which the macros of build_window.sql read.

    Without `tests` (`dbt run` has none) a build is whole without them.
    """
    builds.prepare(connection)
    window = builds.window(connection, _nodes(), full_refresh)
    touched = [node for node in window.touched if tests or not node.startswith("test.")]
    connection.execute(
        "CREATE OR REPLACE TABLE memory.main.build_window AS SELECT $1 AS build_id, $2::BIGINT AS from_snapshot, "
        "$3::BIGINT AS to_snapshot, $4::BOOLEAN AS is_listed, $5::BOOLEAN AS is_as_it_was, $6::VARCHAR AS code, "
        "$7::VARCHAR AS why",
        [
            get_invocation_id(),
            window.begin,
            window.end,
            window.is_listed,
            window.is_as_it_was,
            json.dumps(window.code),
            window.why,
        ],
    )
    connection.execute(
        "CREATE OR REPLACE TABLE memory.main.build_nodes AS SELECT node, node IN (SELECT unnest($2)) AS is_anew, "
        "node IN (SELECT unnest($3)) AS is_touched, node IN (SELECT unnest($4)) AS is_done "
        "FROM (SELECT unnest($1) AS node)",
        [list(window.code), list(window.anew), touched, list(window.done)],
    )


def _nodes() -> dict[str, Node]:
    """The nodes of the project that dbt is running."""
    adapters: list[Any] = list(FACTORY.adapters.values())
    [adapter] = adapters
    manifest: Manifest = adapter.get_macro_resolver()
    parts = {
        "nodes": {key: node.to_dict(omit_none=False) for key, node in manifest.nodes.items()},
        "sources": {key: source.to_dict(omit_none=False) for key, source in manifest.sources.items()},
        "macros": {
            key: {"macro_sql": macro.macro_sql, "depends_on": {"macros": macro.depends_on.macros}}
            for key, macro in manifest.macros.items()
        },
    }
    return nodes(parts, adapter.config.vars.to_dict() | adapter.config.cli_vars)
