"""The facts against all of raw: the dbt test that a build asks of the orders it touched, here of every order.

What it finds keeps every publication back, and the next build makes everything anew (`dbt_project/macros`).
"""

import json
import os

from rainbow_assets.defs.transform.project import dbt_cli
from rainbow_assets.settings import Settings
from rainbow_assets.systems import scratch
from rainbow_assets.transform import dbt_failures

TEST = "assert_consistent_total_sales"
RUN_ID = "DBT_ENV_CUSTOM_ENV_RUN_ID"  # macros/run_id.sql labels the snapshots with it


def wrong_orders(settings: Settings, run_id: str) -> int:
    """How many orders have other facts than raw, as the last whole build had seen it, makes of them.

    Raises:
        TransientError: the catalog or the object store was away or busy.
        DataError: the test could not run.
    """
    os.environ[RUN_ID] = run_id  # dbt inherits it
    with scratch.folder(settings, "dbt") as target:
        dbt_cli().cli(["test", "--select", TEST], target_path=target, raise_on_error=False).wait()
        file = target / "run_results.json"
        results = json.loads(file.read_text(encoding="utf-8"))["results"] if file.exists() else []
        found = [result for result in results if result["unique_id"].startswith("test.")]  # hooks have results, too
        if [result["status"] for result in found] not in (["pass"], ["fail"]):
            raise dbt_failures.failure(target, "")
    return int(found[0]["failures"])
