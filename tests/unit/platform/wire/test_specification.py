"""Every mistake in a device type has its own sentence; what has none is kept as it is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.specification import mistakes

GOOD: dict[str, Any] = {
    "name": "pump",
    "version": "1",
    "description": "A pump.",
    "sensors": {
        "flow": {"type": "flow", "unit": "l/s", "min": 0, "max": 9, "resolution": 0.1,
                 "interval": 10},
    },
    "commands": {
        "run": {"description": "Run.", "parameters": {"rpm": {"type": "integer", "min": 0,
                                                              "max": 3000}}},
    },
    "configuration": {
        "type": "object",
        "properties": {"limit": {"type": "number", "minimum": 0, "maximum": 5, "default": 2}},
    },
    "hardware_revisions": ["A", "B"],
    "firmware": {"1.0.0": ["A"], "1.1.0": ["A", "B"]},
}  # fmt: skip

MISTAKES: list[tuple[str, Any, str]] = [
    ("name", "", "name"),
    ("name", "x" * 201, "name"),
    ("version", "", "version"),
    ("version", "1\0", "version"),
    ("version", "x" * 101, "version"),
    ("description", "x" * 2001, "description"),
    ("sensors", {"": GOOD["sensors"]["flow"]}, "sensors."),
    ("sensors", {f"s{n}": GOOD["sensors"]["flow"] for n in range(1025)}, "sensors"),
    ("sensors.flow.type", "smell", "sensors.flow.type"),
    ("sensors.flow.type", "FLOW", "sensors.flow.type"),
    ("sensors.flow.unit", "x" * 41, "sensors.flow.unit"),
    ("sensors.flow.min", 10, "sensors.flow"),
    ("sensors.flow.resolution", -1, "sensors.flow.resolution"),
    ("sensors.flow.interval", 0, "sensors.flow.interval"),
    ("sensors.flow.interval", 1e8, "sensors.flow.interval"),
    ("sensors.flow.rate_max", 0, "sensors.flow.rate_max"),
    ("sensors.flow.rate_max", 1e31, "sensors.flow.rate_max"),
    ("sensors.flow.flat_after", 10, "sensors.flow.flat_after"),
    ("sensors.flow.flat_after", 2_678_401, "sensors.flow.flat_after"),
    ("commands.run.description", "\0", "commands.run.description"),
    ("commands.run.parameters.rpm.type", "colour", "commands.run.parameters.rpm.type"),
    ("commands.run.parameters.rpm.type", "boolean", "commands.run.parameters.rpm"),
    ("commands.run.parameters.rpm.min", 3001, "commands.run.parameters.rpm"),
    ("configuration", {}, "configuration"),
    ("configuration.type", "array", "configuration"),
    ("configuration.$ref", "http://127.0.0.1/", "configuration.$ref"),
    ("configuration.properties", [], "configuration"),
    ("configuration.properties.limit", 1, "configuration.properties.limit"),
    ("configuration.properties.limit.type", "list", "configuration.properties.limit.type"),
    ("configuration.properties.limit.pattern", "(a+)+$", "configuration.properties.limit.pattern"),
    ("configuration.properties.limit.minimum", "0", "configuration.properties.limit.minimum"),
    ("configuration.properties.limit.default", 6, "configuration.properties.limit.default"),
    ("configuration.properties.limit", {"type": "number"},
     "configuration.properties.limit.default"),
    ("firmware", {"1.0.0": ["C"]}, "firmware.1.0.0"),
    ("firmware", {"1.0.0": []}, "firmware.1.0.0"),
    ("firmware", {"1.0.0": ["A", "A"]}, "firmware.1.0.0"),
    ("firmware", {"": ["A"]}, "firmware."),
    ("hardware_revisions", ["A", "B", ""], "hardware_revisions[2]"),
    ("hardware_revisions", ["A", "B", "B"], "hardware_revisions"),
]  # fmt: skip


def _with(path: str, value: Any) -> DeviceTypeSpecification:
    tree = msgspec.json.decode(msgspec.json.encode(GOOD))
    place = tree
    *above, last = path.split(".")
    for key in above:
        place = place[key]
    place[last] = value
    return msgspec.convert(tree, DeviceTypeSpecification)


def test_a_good_specification_has_no_mistake() -> None:
    assert list(mistakes(_with("version", "2"))) == []


@pytest.mark.parametrize(("path", "value", "place"), MISTAKES)
def test_a_mistake_is_one_sentence_at_its_place(path: str, value: Any, place: str) -> None:
    found = list(mistakes(_with(path, value)))
    assert [place] == [where for where, _ in found]
    assert all(what for _, what in found)


def test_without_a_hardware_revision_there_is_no_device() -> None:
    tree = GOOD | {"hardware_revisions": [], "firmware": {}}
    found = mistakes(msgspec.convert(tree, DeviceTypeSpecification))
    assert [where for where, _ in found] == ["hardware_revisions"]


def test_all_mistakes_are_told_at_once() -> None:
    tree = GOOD | {"name": "", "version": "", "firmware": {"1": ["Z"]}}
    found = mistakes(msgspec.convert(tree, DeviceTypeSpecification))
    assert [where for where, _ in found] == ["name", "version", "firmware.1"]


@settings(max_examples=60)
@given(data=st.data())
def test_what_has_no_mistake_passes_the_wire_unchanged(
    specifications: st.SearchStrategy[DeviceTypeSpecification], data: st.DataObject
) -> None:
    specification = data.draw(specifications)
    assert list(mistakes(specification)) == []
    body = msgspec.json.encode(specification)
    again = msgspec.json.decode(body, type=DeviceTypeSpecification)
    assert again == specification
    assert list(again.sensors) == list(specification.sensors)
