"""`python -m rainbow_assets.dashboard run …`: Streamlit, with what takes long to load loaded before the first visit."""

import chdb  # noqa: F401 - loaded, that is all
import pyarrow.pandas_compat  # noqa: F401
from streamlit.web.cli import main

import rainbow_assets.dashboard.charts
import rainbow_assets.dashboard.storage
import rainbow_assets.systems.clickhouse  # noqa: F401

if __name__ == "__main__":
    main(prog_name="streamlit")
