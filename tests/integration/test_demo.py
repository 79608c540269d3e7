"""`rainbow demo`, the whole of it: from an empty folder to the batch views, and once more over what is there.

The first time in an environment where everything is set for other programs, the second time in a plain one: what is not
a setting of Rainbow's changes nothing.
"""

import os
import subprocess
from pathlib import Path

import pytest
from hostile import hostile
from real_stack import RAINBOW, use_home

from rainbow_assets.serving.tables import MARTS
from rainbow_assets.stack.ports import free_ports

pytestmark = pytest.mark.integration
DEMO = ("demo", "--days", "2", "--orders-per-day", "20")


def test_the_demo_in_a_hostile_environment_and_again(short_dir: Path, monkeypatch: pytest.MonkeyPatch):
    """RAINBOW_HOME is relative, as in `.env.example`."""
    folder = short_dir / "here"
    folder.mkdir()
    variables = hostile(short_dir / "user", folder)
    use_home(monkeypatch, Path("home"))
    for name, port in zip(("RAINBOW_PG_PORT", "RAINBOW_S3_PORT"), free_ports(2), strict=True):
        monkeypatch.setenv(name, str(port))
    plain = dict(os.environ)
    kept = {path.name for path in folder.iterdir()} | {"home"}

    def rainbow(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(RAINBOW), *arguments]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, env=environment
        )

    def views(said: str) -> list[list[str]]:
        return [part.splitlines() for part in said.partition("\nNext:")[0].split("\n\nv_")[1:]]

    try:
        shown = []
        for seeded, environment in ((True, plain | variables), (False, plain)):
            done = rainbow(environment, *DEMO)
            assert done.returncode == 0, done.stdout + done.stderr
            assert ("Seeding the shop" in done.stderr) == seeded
            titles = [line for line in done.stdout.splitlines() if line.startswith("v_")]
            assert titles == [f"v_{name}_batch" for name in MARTS]
            shown.append(views(done.stdout))
            examined = rainbow(environment, "doctor")
            assert (examined.returncode, examined.stderr) == (0, ""), examined.stdout
            assert "✗" not in examined.stdout
            running = rainbow(environment, "status")
            assert (running.returncode, running.stderr) == (0, ""), running.stdout
        assert shown[0] == shown[1]
    finally:
        assert rainbow(plain, "down").returncode == 0
    assert {path.name for path in folder.iterdir()} == kept
