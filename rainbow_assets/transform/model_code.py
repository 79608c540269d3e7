"""What code makes each table: a checksum of a dbt node, of the macros that it uses, its config and all that it reads.

Here: the reading of dbt's manifest. Not here: what follows from a change (`builds.py`).

A comment, a description, a tag or the folding of lines is no code: two texts that differ in these alone are the same.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

# Of a node's config, what makes no row.
NOT_CODE = {
    "access",
    "docs",
    "enabled",
    "grants",
    "group",
    "meta",
    "packages",
    "persist_docs",
    "static_analysis",
    "tags",
}
JINJA = r"\{\{.*?\}\}|\{%.*?%\}"
NOTE = r"\{\#.*?\#\}|/\*.*?\*/|--(?:(?!\{\{|\{%)[^\n])*(?=\n|$)"  # but a comment that renders something
TOKEN = re.compile(
    rf"(?P<gap>(?:{NOTE}|\s)+)|(?P<jinja>{JINJA})"
    rf"|(?P<text>'(?:{JINJA}|''|[^'])*'|\"(?:{JINJA}|\"\"|[^\"])*\")",
    re.DOTALL,
)
WITHIN = re.compile(r"(?P<text>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")|(?P<space>\s+)", re.DOTALL)
VARIABLE = re.compile(r"\bvar\s*\(")


@dataclass(frozen=True)
class Node:
    """A model, or a test that stops a build.

    `table`: `schema.name` of what a model makes; `parents`: other nodes; `reads`: the lake's tables behind all of them.
    """

    id: str
    table: str | None
    code: str
    parents: tuple[str, ...]
    reads: frozenset[str]


def normalised(text: str) -> str:
    """SQL with Jinja without its comments, and with one space for every gap; what is quoted stays as it is."""
    return TOKEN.sub(_token, text).strip()


def _token(match: re.Match[str]) -> str:
    if match["gap"]:
        return " "
    return WITHIN.sub(lambda inner: inner["text"] or " ", match["jinja"]) if match["jinja"] else match[0]


def nodes(manifest: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Node]:
    """The models and blocking tests of a manifest, by their id; `variables`: what the project's `var()` gives."""
    held: Mapping[str, Any] = manifest["nodes"]
    macros: Mapping[str, Any] = manifest["macros"]

    @cache
    def node(unique_id: str) -> Node:
        props = held[unique_id]
        parents = [parent for parent in props["depends_on"].get("nodes", ()) if parent in held]
        sources = [manifest["sources"][source] for source in props["depends_on"]["nodes"] if source not in held]
        reads = {f"{source['schema']}.{source['identifier']}" for source in sources}
        reads |= set(props["config"].get("meta", {}).get("reads", ()))
        text = "\n".join(_texts(props, macros))
        parts = [text, _config(props), sorted(reads), [node(parent).code for parent in sorted(parents)]]
        if VARIABLE.search(text):
            parts.append(dict(variables))
        code = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
        made = None if props["resource_type"] == "test" else f"{props['schema']}.{props['alias']}"
        return Node(unique_id, made, code, tuple(parents), frozenset(reads.union(*(node(p).reads for p in parents))))

    return {unique_id: node(unique_id) for unique_id, props in held.items() if _is_of_the_build(props)}


def _is_of_the_build(props: Mapping[str, Any]) -> bool:
    if props["resource_type"] == "test":
        return str(props["config"].get("severity", "error")).lower() == "error"
    return props["resource_type"] in {"model", "seed", "snapshot"}


def _texts(props: Mapping[str, Any], macros: Mapping[str, Any]) -> Iterator[str]:
    """The node's own code, and that of each macro of its project behind it."""
    own = f"macro.{props['package_name']}."
    open_ids = [*props["depends_on"].get("macros", ())]
    if strategy := props["config"].get("incremental_strategy"):
        open_ids.append(f"{own}get_incremental_{strategy}_sql")  # dbt finds it by its name
    found: set[str] = set()
    while open_ids:
        unique_id = open_ids.pop()
        if unique_id.startswith(own) and unique_id in macros and unique_id not in found:
            found.add(unique_id)
            open_ids += macros[unique_id]["depends_on"]["macros"]
    yield normalised(props["raw_code"]) if props.get("raw_code") else str(props["checksum"])
    yield from (normalised(macros[unique_id]["macro_sql"]) for unique_id in sorted(found))


def _config(props: Mapping[str, Any]) -> dict[str, Any]:
    """What of a node's config and columns decides about its rows or its table."""
    config = {name: value for name, value in props["config"].items() if name not in NOT_CODE and value is not None}
    table = {name: props.get(name) for name in ("schema", "alias", "constraints", "test_metadata")}
    if props["config"].get("contract", {}).get("enforced"):
        table["columns"] = [
            [column["name"], column.get("data_type"), column.get("constraints")] for column in props["columns"].values()
        ]
    return {"config": config, "table": table}
