"""The API's own description, taken at its word: requests drawn from it, right and wrong ones, get what it promises."""

from datetime import date

import pytest
from serving import serving

from rainbow_assets.api.app import create_app
from rainbow_assets.settings import Settings
from rainbow_assets.shop.seed import seed

schemathesis = pytest.importorskip("schemathesis", reason="`make extras` installs it")

pytestmark = pytest.mark.integration

SECONDS = 120  # on a loaded machine; else it is done before
RULES = {
    "generation": {"max-examples": 25, "database": "none"},
    # A well-formed order of what the shop does not have is refused all the same.
    "checks": {"positive_data_acceptance": {"enabled": False}},
}


def test_every_answer_is_one_that_is_described(fresh_settings: Settings):
    """Status, media type and document; no 5xx; what breaks the description is refused."""
    from schemathesis.engine import StopReason, events, from_schema

    url = fresh_settings.secret("source_url")
    seed(url, 1, date(2026, 3, 29), 20, 7)
    with serving(create_app(url)) as port:
        config = schemathesis.Config.from_dict(RULES)
        description = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json", config=config)
        description.config.max_time = SECONDS
        statuses: dict[str, set[int]] = {}
        for event in from_schema(description).execute():
            assert not isinstance(event, events.NonFatalError | events.FatalError), event
            if isinstance(event, events.ScenarioFinished):
                for sent in event.recorder.interactions.values():
                    assert sent.response is not None
                    statuses.setdefault(event.recorder.label, set()).add(sent.response.status_code)
            if isinstance(event, events.EngineFinished):
                finished = event
    assert finished.stop_reason in {StopReason.COMPLETED, StopReason.MAX_TIME}
    assert [f"{failure.operation}: {failure.title}: {failure.message}" for failure in finished.failures] == []
    for asked in ("GET /api/v1/orders", "GET /api/v1/orders/{order_id}", "POST /api/v1/orders"):
        assert 422 in statuses[asked]
