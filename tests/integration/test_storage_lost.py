"""Dagster's own storage goes away in the middle of a run."""

import subprocess
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from real_stack import RAINBOW, rainbow

from rainbow_assets.postgres_url import fields_of
from rainbow_assets.settings import Settings
from rainbow_assets.stack import credentials as stored

pytestmark = pytest.mark.integration


def test_it_is_one_line_that_says_to_try_again(stack: Settings, fresh_settings: Settings):
    assert rainbow("seed", "--days", "2", "--orders-per-day", "10").returncode == 0
    name = sql.Identifier(fields_of(fresh_settings.secret("dagster_url"))["dbname"])
    admin = f"postgresql://postgres:{quote(stored.ensure(stack.home).postgres)}@127.0.0.1:{stack.pg_port}/postgres"
    with (
        subprocess.Popen([str(RAINBOW), "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run,
        psycopg.connect(admin, autocommit=True) as connection,
    ):
        assert run.stderr is not None
        assert any("landing/" in line for line in run.stderr)
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(ended, [fields_of(fresh_settings.secret("dagster_url"))["dbname"]])
        said = run.stderr.read().splitlines()
        assert run.wait(300) == 1
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    last = said[-1]
    assert last.startswith("Error: PostgreSQL (RAINBOW_DAGSTER_URL) does not answer: "), said
    assert len(last) < 400
    assert "fault of Rainbow" not in last
    assert not any(line.startswith(("Traceback", "sqlalchemy.")) for line in said)
