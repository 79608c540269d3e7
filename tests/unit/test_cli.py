"""The program's face: help, exit codes, one-line errors, formats; no engine is needed for any of it."""

import csv
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from urllib.parse import unquote

import pytest

from rainbow_assets import cli
from rainbow_assets.cli import formats
from rainbow_assets.cli.stack import _duration, _quoted
from rainbow_assets.ops.query import Answer
from rainbow_assets.redact import redact
from rainbow_assets.settings import PREFIX
from rainbow_assets.stack.ports import free_ports
from rainbow_assets.version import package_version

VERBS = ("up", "down", "status", "env", "doctor", "sql", "history", "version", "fsck", "maintain", "alerts", "api")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAINBOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["rainbow", *arguments])
    before, environment = os.umask(0), dict(os.environ)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    os.environ.clear()  # it clears its environment, and this is ours too
    os.environ.update(environment)
    assert os.umask(before) == 0o077, "what it writes is the user's own"
    return int(ended.value.code or 0)


@pytest.mark.parametrize("arguments", [[], ["--help"], *([verb, "--help"] for verb in VERBS)])
def test_help_fits_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    assert run(monkeypatch, *arguments) == 0
    shown = capsys.readouterr().out
    assert "Usage: rainbow" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
    if len(arguments) < 2:
        assert all(verb in shown for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "No such command 'nope'. See `rainbow --help`."),
        (["up", "--nope"], "No such option: --nope. See `rainbow up --help`."),
        (["sql"], "Missing argument 'QUERY'. See `rainbow sql --help`."),
        (["fsck", "--forget-missing"], "--forget-missing goes with --repair"),
        (["fsck", "--quick", "--repair"], "leave --quick out"),
        (["maintain", "--keep-days", "-1"], "greater than or equal to 0"),
        (["sql", "--engine", "oracle", "SELECT 1"], "'oracle' is not one of"),
        (["run", "yesterday"], "'yesterday' is no day: write YYYY-MM-DD."),
        (["run", "2026-02-30"], "there is no day 2026-02-30."),
        (["run", "--from", "2026-02-1", "--to", "2026-02-02"], "'2026-02-1' is no day: write YYYY-MM-DD."),
        (["seed", "--end", "26-11-01"], "'26-11-01' is no day: write YYYY-MM-DD."),
        (["simulate", "2026-11-01T00:00"], "is no day: write YYYY-MM-DD."),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    assert run(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["seed", "--end", "9999-12-31"], "A shop up to 9999-12-31 cannot be seeded. Ask for an end up to 2099-12-31."),
        (["simulate", "9999-12-31"], "Simulating 9999-12-31 is not possible. Give a day from 1970-01-01 to"),
        (["simulate", "1969-12-31"], "Simulating 1969-12-31 is not possible. Give a day from 1970-01-01 to"),
    ],
)
def test_a_day_that_can_be_no_partition_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    monkeypatch.setenv("RAINBOW_SOURCE_URL", f"postgresql://u:p@127.0.0.1:{free_ports(1)[0]}/db")
    assert run(monkeypatch, *arguments) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert said in line


def test_an_error_is_one_line_and_exit_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("RAINBOW_PG_PORT", "many")
    assert run(monkeypatch, "status") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("Error: Malformed setting: RAINBOW_PG_PORT")
    assert captured.err.count("\n") == 1
    assert run(monkeypatch, "status", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_broken_settings_file_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home.mkdir()
    (home / "rainbow.env").write_bytes(b"\xff")
    assert run(monkeypatch, "status") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"Error: {home}/rainbow.env cannot be read: it is not UTF-8.")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("verb", [["run"], ["ui"]])
def test_a_dead_dagster_storage_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: list[str]
):
    (port,) = free_ports(1)
    monkeypatch.setenv("RAINBOW_DAGSTER_URL", f"postgresql://user:hidden@127.0.0.1:{port}/db")
    assert run(monkeypatch, *verb) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: PostgreSQL (RAINBOW_DAGSTER_URL) does not answer: Connection refused.")
    assert said.count("\n") == 1


def test_a_page_on_a_taken_port_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(monkeypatch, "ui", "--port", str(port)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: Port {port} (--port) is in use")
    assert said.count("\n") == 1


def test_a_second_page_of_a_home_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home.mkdir()
    [port] = free_ports(1)
    with (home / ".ui.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        first.write("77")
        first.flush()
        assert run(monkeypatch, "ui", "--port", str(port)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: `rainbow ui` runs already for {home}: process 77.")
    assert said.count("\n") == 1


def test_a_place_that_cannot_be_written_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    home.write_text("a file where the folder should be")
    assert run(monkeypatch, "up") == 1
    said = capsys.readouterr().err
    assert str(home) in said
    assert said.count("\n") == 1


def test_status_and_env_without_a_stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "status") == 1
    assert "`rainbow up` starts it" in capsys.readouterr().err
    assert run(monkeypatch, "env") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "RAINBOW_DAGSTER_URL is not set" in captured.err
    assert run(monkeypatch, "down") == 0


def test_ctrl_c_is_exit_130(home: Path):
    """A real SIGINT, while `down` waits for the lock that this test holds."""
    import fcntl

    home.mkdir()
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = [sys.executable, "-c", "from rainbow_assets.cli import main; main()", "down"]
        process = subprocess.Popen(program, stderr=subprocess.PIPE, text=True)
        waiting = Path(f"/proc/{process.pid}/fd") if Path("/proc/self/fd").exists() else None
        deadline = time.monotonic() + 30
        while waiting and time.monotonic() < deadline:
            with suppress(FileNotFoundError):  # closed between the two looks
                if any(link.resolve() == home / ".lock" for link in waiting.iterdir()):
                    break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == "Interrupted."


@pytest.mark.parametrize("verb", [["--help"], ["--version"], ["status"], ["env"], ["alerts"]])
def test_quick_verbs_import_nothing_heavy(verb: list[str]):
    script = f"""
import sys
from rainbow_assets.cli import main
sys.argv = ["rainbow", *{verb!r}]
try:
    main()
except SystemExit:
    print("heavy:", [name for name in ("dagster", "dbt", "duckdb", "chdb", "boto3", "pyarrow") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "heavy: []" in result.stdout


@pytest.mark.parametrize("verb", ["history", "version"])
def test_what_looks_back_imports_only_what_it_asks(verb: str):
    script = f"""
import sys
from rainbow_assets.cli import main
sys.argv = ["rainbow", {verb!r}]
try:
    main()
except SystemExit:
    print("heavy:", [name for name in ("dagster", "dbt", "boto3", "pyiceberg", "sqlalchemy") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "heavy: []" in result.stdout


def test_the_version_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"rainbow {package_version()}\n"


def test_redact_hides_every_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAINBOW_SOURCE_URL", "postgresql://user:p%40ss-word@host/db")
    monkeypatch.setenv("RAINBOW_S3_SECRET_KEY", "s3-secret")
    text = "url postgresql://user:p%40ss-word@host/db, plain p@ss-word, key s3-secret"
    assert redact(text) == "url postgresql://user:***@host/db, plain ***, key ***"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:{}@host/db",
        "postgresql://host/db?user=u&password={}&sslmode=require",
        "postgresql:///db?sslpassword={}",
        "postgresql://[broken:{}@host/db",
    ],
)
@pytest.mark.parametrize("password", ["p%40ss-word", "p/ss-word", "p@ss-word", "p?s#word"])
def test_redact_finds_the_password_of_a_url(monkeypatch: pytest.MonkeyPatch, url: str, password: str):
    monkeypatch.setenv("RAINBOW_SOURCE_URL", url.format(password))
    for form in (password, unquote(password)):
        assert redact(f"plain {form}, {url.format(form)}") == f"plain ***, {url.format('***')}"


@pytest.mark.parametrize("value", ["plain", "it's", "a b", "$HOME", "", "`x`", 'say "x"'])
def test_env_values_survive_a_shell(value: str):
    script = f'export X={_quoted(value)}; printf %s "$X"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == value
    assert _quoted(value).startswith("'")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0.4, "0 s"), (67, "1 min 7 s"), (3_600, "1 h 0 min"), (200_000, "2 d 7 h")],
)
def test_duration(seconds: float | None, shown: str):
    assert _duration(seconds) == shown


ROW = (
    Decimal("10.50"),
    datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - as the source's timestamps are
    date(2026, 1, 2),
    None,
    'a "b", c\nd',
    True,
    [1, Decimal("2.5")],
    float("nan"),
    datetime(2026, 1, 2, tzinfo=UTC),
    b"\x01",
)
NAMES = list("abcdefghij")


def shown(form: str, *batches: list[tuple[object, ...]], columns: list[str] = NAMES) -> str:
    out = StringIO(newline="")
    formats.FORMATS[form](Answer(columns, iter(batches)), out)
    return out.getvalue()


def test_json_is_an_array_of_objects():
    rows = json.loads(shown("json", [ROW], [ROW, ROW]))
    assert len(rows) == 3
    assert list(rows[0].items()) == [
        ("a", "10.50"),
        ("b", "2026-01-02T03:04:05"),
        ("c", "2026-01-02"),
        ("d", None),
        ("e", 'a "b", c\nd'),
        ("f", True),
        ("g", [1, "2.5"]),
        ("h", None),
        ("i", "2026-01-02T00:00:00+00:00"),
        ("j", "01"),
    ]
    assert json.loads(shown("json")) == []


def test_csv_is_rfc_4180():
    text = shown("csv", [ROW])
    assert text.startswith("a,b,c,d,e,f,g,h,i,j\r\n")
    assert text.endswith("\r\n")
    header, row = csv.reader(StringIO(text, newline=""))
    assert row[:7] == ["10.50", "2026-01-02T03:04:05", "2026-01-02", "", 'a "b", c\nd', "true", '[1, "2.5"]']
    assert len(header) == len(row)


WIDE = {  # the widest of the demo's views
    "category": "Headphones & Hi-Fi",
    "product_id": 123_456,
    "product_name": "Wireless Studio Headphones",
    "sales_quantity": 1_412,
    "sales_amount": Decimal("1234567.89"),
    "profit": Decimal("-134567.89"),
    "profit_rank": 1,
}


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_breaks_no_word_and_no_number(monkeypatch: pytest.MonkeyPatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    text = shown("table", [tuple(WIDE.values())] * 2, columns=list(WIDE))
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    whole = {str(value) for value in WIDE.values() if not isinstance(value, str)}
    assert whole <= set(text.split()), "numbers are never cut"
    words = {word for value in WIDE.values() if isinstance(value, str) for word in value.split()}
    names = {part for name in WIDE for part in (name, *name.split("_"), *(f"{part}_" for part in name.split("_")))}
    for token in {token for token in text.split() if token.strip("─")} - whole - words - names:
        assert token in {"1", "2", "─"} or (token.endswith("…") and any(w.startswith(token[:-1]) for w in words)), token
    assert any(line.startswith("product_id ") for line in lines) == (width == 40), "records"
    assert ("…" in text) == (width == 80)


def test_a_table_cuts_only_what_cannot_fit():
    text = shown("table", [("x" * 200, 5)], columns=["long", "number"])
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "x…" in text
    assert text.count("x") > 60
    many = shown("table", [(number,) for number in range(1_500)], columns=["n"])
    assert "The first 1,000 rows" in many
    assert shown("table", columns=["nothing"])
    assert "NULL" in shown("table", [(None, "a\nb")], columns=["gone", "lines"])
