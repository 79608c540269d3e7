"""What the API says of itself; no database is asked for that."""

from rainbow_assets.api.app import create_app
from rainbow_assets.api.models import NewOrder


def test_the_description_names_every_endpoint_and_every_status():
    described = create_app("postgresql://nowhere").openapi()["paths"]
    statuses = {
        (method, path): set(operation["responses"])
        for path, methods in described.items()
        for method, operation in methods.items()
    }
    assert statuses == {
        ("get", "/"): {"200"},
        ("get", "/ping"): {"200"},
        ("get", "/api/v1/orders"): {"200", "422", "503"},
        ("post", "/api/v1/orders"): {"201", "400", "409", "415", "422", "503"},
        ("get", "/api/v1/orders/{order_id}"): {"200", "404", "422", "503"},
    }


def test_the_description_shows_how_to_order():
    described = create_app("postgresql://nowhere").openapi()
    example = described["components"]["schemas"]["NewOrder"]["examples"][0]
    assert NewOrder.model_validate(example).model_dump(by_alias=True) == example
    assert "Location" in described["paths"]["/api/v1/orders"]["post"]["responses"]["201"]["headers"]
