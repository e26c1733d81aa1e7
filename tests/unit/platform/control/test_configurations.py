"""The first configuration of a device follows from its type."""

from pathlib import Path

import jsonschema
import pytest
import yaml

import fleetconf
from fleetplatform.control.configurations import generate_device_config

TYPES = sorted((Path(fleetconf.__file__).parent / "device_type").glob("*.yaml"))


@pytest.mark.parametrize("path", TYPES, ids=lambda path: path.stem)
def test_every_shipped_type_makes_a_configuration_that_its_schema_takes(path):
    schema = yaml.safe_load(path.read_text())["specification"]["configuration"]
    made = generate_device_config(schema)
    assert list(made) == list(schema["properties"])
    jsonschema.validate(made, schema)


def test_every_setting_begins_at_its_default():
    properties = {
        "a": {"type": "integer", "default": 3},
        "b": {"type": "boolean", "default": False},
    }
    assert generate_device_config({"type": "object", "properties": properties}) == {
        "a": 3,
        "b": False,
    }


def test_a_type_without_settings_makes_an_empty_configuration():
    assert generate_device_config({"type": "object", "properties": {}}) == {}
