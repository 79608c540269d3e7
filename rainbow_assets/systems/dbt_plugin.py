"""dbt's connection to the lake: the same one that `ducklake.connect` makes.

Here: the hooks that dbt-duckdb calls when it opens a connection. Not here: what the connection consists of
(`ducklake.py`) and what dbt runs on it (`dbt_project/`).
"""

from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from rainbow_assets.settings import Settings
from rainbow_assets.systems import ducklake


class Plugin(BasePlugin):
    """Loads the extensions, sets the secrets and attaches the lake, outside of dbt's log."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's signature
        """Read the settings once for each run of dbt."""
        self.settings = Settings.load()

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Set up DuckDB and attach the lake.

        Raises:
            TransientError: the catalog does not answer.
            SettingsError: a setting of the lake is missing.
        """
        for statement in ducklake.setup_statements(self.settings):
            conn.execute(statement)
        try:
            for statement in ducklake.attach_statements(self.settings):
                conn.execute(statement)
        except duckdb.Error as error:
            raise ducklake.catalog_error(error) from None
