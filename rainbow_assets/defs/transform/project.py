"""The dbt project as Dagster sees it: where it lies, its manifest, and how its nodes become assets.

Here: names. Not here: SQL (`dbt_project/`).
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import yaml  # type: ignore[import-untyped]
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject
from packaging.version import Version

from rainbow_assets.defs.automation.jobs import RECONCILIATION
from rainbow_assets.defs.conventions import FRESH, OWNERS, what_to_do
from rainbow_assets.settings import PROJECT_DIR
from rainbow_assets.transform.model_code import Node, nodes

DBT_DIR = PROJECT_DIR / "dbt_project"


class LayerTranslator(DagsterDbtTranslator):
    """A model's key is [schema, name]: the layer is its schema, its group, and the first part of its key."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The default spec under the project's naming."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        if props["resource_type"] != "model":
            return spec
        if props["schema"] == "staging":  # where the reconciliation runs, it runs first
            spec = spec.merge_attributes(deps=[RECONCILIATION])
        return spec.replace_attributes(
            key=dg.AssetKey([props["schema"], props["name"]]),
            group_name=props["schema"],
            owners=OWNERS,
            freshness_policy=FRESH,
            kinds={"dbt", "ducklake"},
        )

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The default spec, with the page that says what a failure asks for."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        section = _section(manifest["nodes"][unique_id])
        return spec and spec.with_metadata({**spec.metadata, **what_to_do(section)})


class Dbt(DbtCliResource):
    """dbt-core of this environment; its version is known without `dbt --version`, which takes longer than a model."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: object) -> None:  # type: ignore[override]
        """None: it would read the project in this process too, which takes seconds, for what nothing here asks for."""


def dbt_cli() -> Dbt:
    """The dbt of this interpreter's environment, whatever PATH says."""
    return Dbt(
        project_dir=str(DBT_DIR), profiles_dir=str(DBT_DIR), dbt_executable=str(Path(sys.executable).with_name("dbt"))
    )


def manifest() -> Path:
    """The manifest of the project's files as they are; dbt parses them again where it is of others.

    It is parsed aside and then moved into place: another process may be reading it. Of which files it is, the file
    beside it says: their times tell nothing of files that were copied with them, or taken away.
    """
    target = DBT_DIR / "target"
    file, of = target / "manifest.json", target / "manifest.sha256"
    digest = _digest()
    if not (file.exists() and of.exists() and of.read_text(encoding="utf-8") == digest):
        target.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target) as aside:
            dbt_cli().cli(["parse", "--quiet"], target_path=Path(aside)).wait()
            (Path(aside) / of.name).write_text(digest, encoding="utf-8")
            for name in ("partial_parse.msgpack", file.name, of.name):  # what dbt has parsed, the next dbt need not
                (Path(aside) / name).replace(target / name)
    return file


@cache
def build_nodes() -> dict[str, Node]:
    """The project's models and blocking tests, with their code, as the dbt of a build sees them."""
    variables = yaml.safe_load((DBT_DIR / "dbt_project.yml").read_text(encoding="utf-8")).get("vars", {})
    return nodes(json.loads(manifest().read_text(encoding="utf-8")), variables)


@dataclass(frozen=True)
class DbtTest:
    """A data test: `section`, the generic test's or its own name; `file`, the name of its compiled SQL."""

    section: str
    file: str


@cache
def dbt_tests() -> dict[str, DbtTest]:
    """The project's data tests by their unique id."""
    nodes = json.loads(manifest().read_text(encoding="utf-8"))["nodes"]
    return {
        unique_id: DbtTest(_section(node), Path(node["path"]).name)
        for unique_id, node in nodes.items()
        if node["resource_type"] == "test"
    }


def _section(node: Mapping[str, Any]) -> str:
    """A test's section in docs/data-quality.md: the generic test's name, or its own."""
    return str((node.get("test_metadata") or node)["name"])


def _sources() -> Iterator[Path]:
    yield from DBT_DIR.glob("*.yml")
    for folder in ("models", "macros", "tests"):
        yield from (DBT_DIR / folder).rglob("*.*")


def _digest() -> str:
    """Of dbt's version, and of the name and content of each file."""
    found = hashlib.sha256(version("dbt-core").encode())
    for path in sorted(_sources()):
        if path.is_file():
            content = path.read_bytes()
            found.update(f"\n{path.relative_to(DBT_DIR)} {len(content)}\n".encode() + content)
    return found.hexdigest()
