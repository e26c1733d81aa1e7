"""Every key, unit and default stands in YAML, once, and structs have no defaults."""

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import fleetconf
from fleetconf import kinds
from fleetconf.kinds import Kind
from fleetstorm.config.compose import composer
from fleetstorm.config.settings import RunConfig
from fleetstorm.verdict import Bar

CONF = Path(fleetconf.__path__[0])
GROUPS = ("engine", "layout", "transport", "platform", "device_type")
FILES = sorted(path.relative_to(CONF) for g in GROUPS for path in (CONF / g).glob("*.yaml"))
LISTED_ELSEWHERE = {
    "MatrixSettings", "NewAlertRule", "NewRetentionPolicy", "OrganizationSettings",
    "QuotaSettings", Bar.__name__,
}
"""What a scenario lists may leave keys out: they say that something is not asked for."""


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    """Every struct type within a type, and within the kinds that it names."""
    for marker in getattr(hint, "__metadata__", ()):
        if isinstance(marker, Kind):
            for module in kinds.find(marker.package).values():
                yield from _structs(module.Settings)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
        for inner in typing.get_type_hints(hint, include_extras=True).values():
            yield from _structs(inner)
    for inner in typing.get_args(hint):
        yield from _structs(inner)


def test_no_settings_struct_has_a_default() -> None:
    with_defaults = {
        f"{struct.__name__}.{field.name}"
        for struct in _structs(RunConfig)
        if struct.__name__ not in LISTED_ELSEWHERE
        for field in msgspec.structs.fields(struct)
        if not field.required
    }
    # Older specifications lack these.
    assert with_defaults == {
        f"SensorSpecification.{name}" for name in ("sensitive", "rate_max", "flat_after")
    }


def test_the_shipped_defaults_make_a_run() -> None:
    """So config.yaml and the default groups have every key of RunConfig, and no other."""
    with composer() as compose:
        assert isinstance(compose.compose([]).config, RunConfig)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_of_a_group_composes(file: Path) -> None:
    group, name = file.parent.name, file.stem
    overrides = [f"{group}={name}"]
    if group == "device_type":
        measuring = "thermometer" if name == "gateway" else name
        overrides = [f"device_type=[{measuring},gateway]", f"fleet.mix={{{measuring}: 1}}"]
    with composer() as compose:
        compose.compose(overrides)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_of_a_group_says_where_it_lands_and_what_it_is(file: Path) -> None:
    place, sentence = (CONF / file).read_text("utf-8").splitlines()[:2]
    below = "platform." if file.parent.name in ("engine", "layout") else ""
    assert place.startswith(f"# @package {below}{file.parent.name}")
    assert sentence.startswith("# ")


def test_no_default_of_a_group_is_written_in_config_yaml_too() -> None:
    assert not set(yaml.safe_load((CONF / "config.yaml").read_text("utf-8"))) & set(GROUPS)


def test_every_key_of_config_yaml_says_what_it_is() -> None:
    """A comment, on the line of every key that has a value."""
    _, _, body = (CONF / "config.yaml").read_text("utf-8").partition("\n\n")
    keys = [line for line in body.splitlines() if line.strip() and not line.endswith(":")]
    assert [line for line in keys if "#" not in line] == []
