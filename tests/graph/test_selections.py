"""Every selection that the Dagster UI offers is a run: of each kind, for each layer."""

import dagster as dg
import pytest

from rainbow_assets.definitions import defs
from rainbow_assets.defs.partitions import DAILY

GRAPH = defs.resolve_asset_graph()
JOB = defs.resolve_implicit_global_asset_job_def()
LAYERS = {
    "landing": "orders", "raw": "orders", "staging": "stg_orders", "warehouse": "fact_sales", "marts": "total_sales",
    "ops": "quarantine", "serving": "total_sales",
}  # fmt: skip
KINDS = {
    "landing": "parquet", "raw": "iceberg", "staging": "dbt", "warehouse": "ducklake", "marts": "dbt", "ops": "dbt",
    "serving": "clickhouse",
}  # fmt: skip
RECONCILIATION = {key for key in GRAPH.asset_check_keys if key.asset_key == dg.AssetKey(["ops", "reconciliation"])}


def selections(layer: str) -> dict[str, dg.AssetSelection]:
    """The UI's selections of a layer."""
    one = dg.AssetSelection.assets(dg.AssetKey([layer, LAYERS[layer]]))
    return {
        "asset": one,
        "group": dg.AssetSelection.groups(layer),
        "layer": dg.AssetSelection.key_prefixes(layer),
        "kind, a tag": dg.AssetSelection.tag(f"dagster/kind/{KINDS[layer]}", ""),
        "this and upstream": one.upstream().materializable(),
        "this and downstream": one.downstream(),
        "this and the next": one.downstream(depth=1),
        "without its checks": one.without_checks(),
    }


@pytest.mark.parametrize("kind", selections("raw"))
@pytest.mark.parametrize("layer", LAYERS)
def test_a_selection_is_a_run(layer: str, kind: str) -> None:
    selection = selections(layer)[kind]
    assets, checks = selection.resolve(GRAPH), selection.resolve_checks(GRAPH)
    assert assets
    job = JOB.get_subset(asset_selection=assets, asset_check_selection=checks or None)
    assert job.asset_layer.selected_asset_keys == assets


# Those of landing, raw and the reconciliation look at what their step has just read: the UI offers them with their
# asset only.
@pytest.mark.parametrize("layer", sorted(LAYERS.keys() - {"landing", "raw"}))
def test_checks_alone_are_a_run(layer: str) -> None:
    keys = {key for key in GRAPH.asset_check_keys if key.asset_key.path[0] == layer} - RECONCILIATION
    for checks in (keys, {min(keys)}):
        job = JOB.get_subset(asset_selection=set(), asset_check_selection=checks)
        assert job.asset_layer.selected_asset_keys == set()
        assert job.nodes


@pytest.mark.parametrize("layer", ["landing", "raw"])
@pytest.mark.parametrize("days", [(0, 1), (0, 3)])
def test_partitions_are_taken_in_one_run_or_in_one_a_piece(layer: str, days: tuple[int, int]) -> None:
    """A range is one run; a range with gaps is one for each part without them."""
    keys = DAILY.get_partition_keys()[days[0] : days[1]]
    subset = DAILY.subset_with_partition_keys(keys)
    assert len(subset.get_partition_key_ranges(DAILY)) == 1
    gaps = DAILY.subset_with_partition_keys([*keys, DAILY.get_partition_keys()[days[1] + 1]])
    assert len(gaps.get_partition_key_ranges(DAILY)) == 2
    assert GRAPH.get(dg.AssetKey([layer, "orders"])).backfill_policy == dg.BackfillPolicy.single_run()
