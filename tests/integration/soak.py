"""The mark of tests that take minutes and show what shorter ones show, too: only `make soak` runs them."""

import os

import pytest

only_soak = pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "soak", reason="takes minutes: `make soak`")
