"""The OpenAPI document is valid, complete, and the one that is committed."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler
from openapi_spec_validator import validate

from fleetplatform.api.document import describe, find_handlers
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import Device, NewDevices

COMMITTED = Path(__file__).parents[4] / "docs" / "openapi.json"
HOW = "out of date: run `uv run python -m fleetplatform openapi > docs/openapi.json`"


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in describe()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from (tree["$ref"],) if isinstance(tree.get("$ref"), str) else ()
        for member in tree.values():
            yield from _references(member)
    elif isinstance(tree, list):
        for member in tree:
            yield from _references(member)


def test_the_committed_document_is_the_one_that_is_served() -> None:
    assert json.loads(COMMITTED.read_text()) == json.loads(json.dumps(describe())), HOW


def test_the_document_is_valid() -> None:
    validate(json.loads(json.dumps(describe())))


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(describe()):
        tree = describe()
        for step in reference.removeprefix("#/").split("/"):
            tree = tree[step]


def test_every_route_is_in_it_under_a_name_of_its_own() -> None:
    shown = Counter(operation["operationId"] for _, _, operation in _operations())
    routes = {
        handler.handler_name for handler in find_handlers()
        if isinstance(handler, HTTPRouteHandler) and handler.resolve_include_in_schema()
    }
    assert shown.keys() - {"send_readings"} == routes
    assert [name for name, count in shown.items() if count > 1] == []


@pytest.mark.parametrize("kind", [NewAlertRule, NewDevices, Device])
def test_bodies_are_described_by_their_decoder(kind: type[msgspec.Struct]) -> None:
    shown = describe()["components"]["schemas"][kind.__name__]
    fields = msgspec.structs.fields(kind)
    assert set(shown["properties"]) == {field.encode_name for field in fields}
    assert set(shown["required"]) == {field.encode_name for field in fields if field.required}


def test_what_holds_for_every_operation() -> None:
    for path, method, operation in _operations():
        names = {one["name"] for one in operation.get("parameters", [])}
        assert operation["description"], (method, path)
        assert operation["x-role"] in {
            "device", "viewer", "operator", "admin", "platform", "anybody",
        }, (method, path)  # fmt: skip
        if method == "post" and path != "/v1/readings":
            assert "Idempotency-Key" in names, path
        refusals = {s for s in operation["responses"] if s[0] in "45"}
        assert refusals >= {"401", "403", "422", "503"}, (method, path)
        assert "400" not in refusals, (method, path)


def test_an_answer_with_an_id_leads_to_what_takes_it() -> None:
    made = describe()["paths"]["/v1/devices/bulk"]["post"]["responses"]["201"]
    assert made["links"]["read_device_by_device_id"] == {
        "operationId": "read_device",
        "parameters": {"path.device_id": "$response.body#/devices/0/device_id"},
    }
