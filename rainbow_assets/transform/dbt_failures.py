"""Why dbt failed, in one line, and whether trying again may help.

Here: reading what dbt leaves of a run, `run_results.json`, or what it said where it came to none. What kind of error
it was is told by its class, which the engine (`IO Error: …`) and our own errors (`TransientError: …`) name. Not here:
which classes are transient (`systems/ducklake.py`, `errors.py`).
"""

import json
import re
from pathlib import Path

import duckdb

from rainbow_assets.errors import DataError, RainbowError, TransientError
from rainbow_assets.systems import ducklake, object_store

# DuckDB's exceptions by the word that their text begins with.
ENGINE: dict[str, type[duckdb.Error]] = {
    "IO": duckdb.IOException,
    "HTTP": duckdb.HTTPException,
    "TransactionContext": duckdb.TransactionException,
    "Connection": duckdb.ConnectionException,
}
NAMED = re.compile(r"\b(?:(?P<engine>\w+) Error|(?P<own>TransientError)): (?P<said>.*)", re.DOTALL)
FAILED = {"error", "fail", "runtime error", "partial success"}
DENIED = re.compile(r"\bHTTP (code )?40[13]\b")  # the words for a GET and for a PUT
LENGTH = 500


def failure(target: Path, said: str) -> RainbowError:
    """The error of a run of dbt: `target`, the folder of its artifacts; `said`, its messages, where it left none.

    It is transient only where all that failed is.
    """
    found = [_of_node(result) for result in _failed(target / "run_results.json")] or [_of_text("", said)]
    return next((error for error in found if not isinstance(error, TransientError)), found[0])


def _failed(file: Path) -> list[dict[str, object]]:
    results = json.loads(file.read_text(encoding="utf-8"))["results"] if file.exists() else []
    return [result for result in results if result["status"] in FAILED]


def _of_node(result: dict[str, object]) -> RainbowError:
    kind, _, *name = str(result["unique_id"]).split(".")
    return _of_text(f"{kind} {name[0]}", str(result["message"] or result["status"]))


def _of_text(what: str, text: str) -> RainbowError:
    prefix, named = f"{what}: " if what else "", NAMED.search(text)
    if named is None or not (named["own"] or named["engine"] in ENGINE):
        return DataError(f"dbt failed: {prefix}{_one_line(text)}.", "Its log has the statement.")
    if named["own"]:
        return TransientError(f"dbt broke off: {prefix}{ducklake.first_line(named['said'])}.")
    if DENIED.search(named["said"]):
        refused = object_store.refusal(named["said"])
        return DataError(f"dbt failed: {prefix}{refused.message}", refused.hint)
    error = ducklake.broken_off(ENGINE[named["engine"]](_one_line(named["said"])))
    return type(error)(f"dbt broke off: {prefix}{error.message}", error.hint)


def _one_line(text: str) -> str:
    """The reason, without dbt's own line before it, the statement below it, and gaps."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip() and "compiled code at" not in line]
    reason = lines[1:] if len(lines) > 1 and re.match(r"(\w+ Error in|Runtime Error|Encountered)", lines[0]) else lines
    return " ".join(reason or ["see its log"])[:LENGTH].rstrip(".")
