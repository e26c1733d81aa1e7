"""Rules of dynamic groups: which there can be, and that a mistake is named with its path."""

import pytest

from fleetplatform.errors import InvalidError
from fleetplatform.registry import group_rules

CIRCLE = {"latitude": 48.1, "longitude": 11.5, "radius_m": 500}
BOX = {"south": 48, "west": 11, "north": 50, "east": -170}


def _nested(depth: int) -> dict:
    rule: dict = {"tags": "a"}
    for _ in range(depth - 1):
        rule = {"not": rule}
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "thermometer"},
        {"type": ["thermometer", "gateway"], "status": "active"},
        {"tags": ["roof", "north"]},
        {"firmware": "1.0.0"},
        {"firmware": {"at_least": "1.2", "below": "2"}},
        {"serial_prefix": "A-"},
        {"all": [{"any": [{"tags": "a"}, {"not": {"tags": "b"}}]}, {"hardware_revision": "1.1"}]},
        {"any": [{"tags": "a"}] * 99},
        {"place": {"circle": CIRCLE}, "not": {"place": {"box": BOX}}},
        _nested(group_rules.DEPTH_MAX),
    ],
)
def test_a_rule_that_there_can_be(rule):
    group_rules.check(rule)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (None, "rule: write an object"),
        ({}, "rule: give at least one condition of type, status"),
        ({"colour": "red"}, "rule.colour: there is no such condition, only type"),
        ({"type": 1}, "rule.type: write a text or a list"),
        ({"type": []}, "rule.type: write a text or a list"),
        ({"type": [""]}, "rule.type: a text here has 1 to 200 characters"),
        ({"tags": "a\0"}, "rule.tags: a text here"),
        ({"tags": ["a", 1]}, "rule.tags: a text here"),
        ({"status": "lost"}, "rule.status: 'lost' is not one of provisioning"),
        ({"serial_prefix": ["a"]}, "rule.serial_prefix: write a text"),
        ({"serial_prefix": ""}, "rule.serial_prefix: write a text"),
        ({"firmware": {}}, "rule.firmware: write a version"),
        ({"firmware": {"above": "1"}}, "rule.firmware: write a version"),
        ({"firmware": {"below": "2.x"}}, "rule.firmware.below: write a version of up to five"),
        ({"firmware": {"below": "1\n"}}, "rule.firmware.below: write a version of up to five"),
        ({"firmware": {"below": 2}}, "rule.firmware.below: write a version of up to five"),
        ({"place": {}}, "rule.place: write a circle or a box"),
        ({"place": {"box": BOX, "circle": CIRCLE}}, "rule.place: write a circle or a box"),
        ({"place": {"box": CIRCLE}}, "rule.place.box: give south, west, north, east, and nothing"),
        ({"place": {"box": BOX | {"west": -181}}}, "rule.place.box.west: write a number from -180"),
        ({"place": {"box": BOX | {"south": 50.5}}}, "rule.place.box.south: it is north of"),
        (
            {"place": {"circle": CIRCLE | {"radius_m": 0}}},
            "rule.place.circle.radius_m: write a number from 0.001 to 2e+07",
        ),
        ({"place": {"circle": CIRCLE | {"latitude": True}}}, "rule.place.circle.latitude: write"),
        ({"all": []}, "rule.all: write a list of 1 to 100 rules"),
        ({"all": {"tags": "a"}}, "rule.all: write a list"),
        ({"all": [{"tags": "a"}, {"any": [{"smell": 1}]}]}, "rule.all[1].any[0].smell: there is"),
        ({"not": [{"tags": "a"}]}, "rule.not: write an object"),
        (_nested(group_rules.DEPTH_MAX + 1), "rules may be nested 8 deep at most"),
        ({"any": [{"tags": "a"}] * 100}, "rule: it may have 100 conditions in all, not 101"),
        ({"any": [{"tags": 1}] * 30}, "and 10 more mistakes"),
    ],
)
def test_a_mistake_is_named_with_its_path(rule, says):
    with pytest.raises(InvalidError) as caught:
        group_rules.check(rule)
    assert caught.value.code == "invalid_rule"
    assert says in str(caught.value)
