"""No text depends on the locale: files are opened in an encoding that is named, and no character fails a log."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rainbow_assets.settings import PROJECT_DIR, Settings
from rainbow_assets.speed.capture import logs

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # a locale without UTF-8 that every machine has
RUN = r"""
import locale, sys
from pathlib import Path
from types import SimpleNamespace
from rainbow_assets.cli import batch
from rainbow_assets.settings import Settings

def work(report):
    print("\u2713 \xe9 \udcff")
    return SimpleNamespace(success=True, warnings={}, notes={}, failures={})

assert locale.getencoding().lower() not in {"utf-8", "utf8"}
batch._prepare_dagster = lambda settings: None
batch.run_logged(Settings(home=Path(sys.argv[1])), "run", "Run", work)
"""


def _unnamed(call: ast.Call) -> bool:
    """Whether a call opens a text file without an encoding."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    text = name in {"read_text", "write_text"} or (
        name in {"open", "fdopen", "NamedTemporaryFile", "TemporaryFile"}
        and any(re.fullmatch(r"[rwax]\+?t?", str(mode)) for mode in modes)
    )
    return text and "encoding" not in {keyword.arg for keyword in call.keywords}


def test_every_text_file_is_opened_in_a_named_encoding():
    package = PROJECT_DIR / "rainbow_assets"
    found = [
        f"{file.relative_to(package)}:{node.lineno}"
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _unnamed(node)
    ]
    assert found == []


def test_no_character_that_dbt_prints_fails_a_run(tmp_path: Path):
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | ASCII)
    assert done.returncode == 0, done.stderr.decode()
    [log] = (tmp_path / "logs").glob("run-*.log")
    assert log.read_text(encoding="utf-8") == "\u2713 \xe9 \\udcff\n"


@pytest.mark.parametrize(
    ("home", "told"),
    [("plain", "plain"), ("\xe9 \u20ac", "\\u00e9 \\u20ac"), ("a\\b", "a\\\\b"), ("\U0001f308", "\\ud83c\\udf08")],
)
def test_debezium_finds_its_log_wherever_that_is(tmp_path: Path, home: str, told: str):
    """Java reads its properties in Latin-1, with escapes."""
    file = logs.log_config(Settings(home=tmp_path / home))
    assert f"appender.file.fileName = {tmp_path}/{told}/logs/stream-debezium.log\n".encode() in file.read_bytes()
