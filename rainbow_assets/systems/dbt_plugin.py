"""dbt's connection to the lake: the same one that `ducklake.connect` makes.

Here: the hooks that dbt-duckdb calls when it opens a connection. Not here: what the connection consists of
(`ducklake.py`) and what dbt runs on it (`dbt_project/`).
"""

import weakref
from contextlib import ExitStack
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake, postgres


class Plugin(BasePlugin):
    """Loads the extensions, sets the secrets and attaches the lake, outside of dbt's log.

    It holds the warehouse's lock as long as dbt's connection lives: two writers of one table would collide, and dbt may
    outlive the run that started it.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's signature
        """Read the settings once for each run of dbt."""
        self.settings = Settings.load()

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Wait for the warehouse's lock, set up DuckDB and attach the lake.

        Raises:
            TransientError: the catalog does not answer.
            SettingsError: a setting of the lake is missing.
        """
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
