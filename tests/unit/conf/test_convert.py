"""A tree of plain values becomes typed structs, or sentences."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from fleetconf.convert import convert
from fleetconf.errors import ConfigError
from fleetconf.units import Count, Duration, Share


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    share: Share
    for_: Duration = msgspec.field(name="for")


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    count: Annotated[Count, Meta(ge=1)]
    colour: Literal["red", "green"]
    inner: Inner
    many: tuple[Inner, ...]
    free: dict[str, Any]
    maybe: float | None


GOOD: dict[str, Any] = {
    "name": "x",
    "count": "2k",
    "colour": "red",
    "inner": {"share": "5%", "for": "10s"},
    "many": [{"share": "50%", "for": "1m"}],
    "free": {"a": [1]},
    "maybe": None,
}


def _problems(**changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        convert({**GOOD, **changes}, Outer, where=lambda path: "some.yaml")
    return list(caught.value.problems)


def test_units_names_and_nesting_are_read() -> None:
    inner = Inner(share=0.05, for_=10.0)
    assert Outer(
        name="x",
        count=2000,
        colour="red",
        inner=inner,
        many=(Inner(share=0.5, for_=60.0),),
        free={"a": [1]},
        maybe=None,
    ) == convert(GOOD, Outer)


def test_an_unknown_key_names_the_nearest() -> None:
    assert _problems(cuont=1) == ["cuont in some.yaml: unknown key; did you mean count?"]


def test_a_key_from_elsewhere_names_where_it_belongs() -> None:
    assert _problems(share="5%") == ["share in some.yaml: unknown key; did you mean inner.share?"]


def test_a_missing_key_is_named() -> None:
    assert _problems(inner={"share": "5%"}) == ["inner.for in some.yaml: this key is missing"]


def test_a_value_inside_a_list_is_named_by_its_index() -> None:
    (problem,) = _problems(many=[{"share": "50%", "for": "1m"}, {"share": "50%", "for": 3}])
    assert problem.startswith("many[1].for in some.yaml: 3 has no unit")


def test_every_fault_is_told_at_once() -> None:
    assert len(_problems(count=0, colour="blue", inner={"share": "200%", "for": "1s"})) == 3


def test_a_number_where_a_text_is_due_says_what_yaml_did() -> None:
    (problem,) = _problems(name=2.1)
    assert 'put it in quotes, such as "2.1"' in problem


def test_a_limit_is_told_in_the_unit_of_the_field() -> None:
    (problem,) = _problems(inner={"share": "150%", "for": "1s"})
    assert problem == "inner.share in some.yaml: 150% is out of range; it must be at most 100%"
