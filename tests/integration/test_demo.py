"""`rainbow demo`, the whole of it: from an empty folder to the batch views, and once more over what is there."""

import subprocess
from pathlib import Path

import pytest
from real_stack import RAINBOW, use_home

from rainbow_assets.pipeline.publish_tables import MARTS
from rainbow_assets.stack.ports import free_ports

pytestmark = pytest.mark.integration
DEMO = ("demo", "--days", "2", "--orders-per-day", "20")


def test_the_demo_and_again(short_dir: Path, monkeypatch: pytest.MonkeyPatch):
    """RAINBOW_HOME is relative, as in `.env.example`."""
    use_home(monkeypatch, Path("home"))
    for name, port in zip(("RAINBOW_PG_PORT", "RAINBOW_S3_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(port))

    def rainbow(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(RAINBOW), *arguments]
        return subprocess.run(command, cwd=short_dir, capture_output=True, text=True, timeout=300, check=False)

    try:
        for seeded in (True, False):
            done = rainbow(*DEMO)
            assert done.returncode == 0, done.stdout + done.stderr
            assert ("Seeding the shop" in done.stderr) == seeded
            titles = [line for line in done.stdout.splitlines() if line.startswith("v_")]
            assert titles == [f"v_{name}_batch" for name in MARTS]
    finally:
        assert rainbow("down").returncode == 0
    assert [path.name for path in short_dir.iterdir()] == ["home"]
