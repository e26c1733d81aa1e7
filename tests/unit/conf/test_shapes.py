"""Lists and mappings where they belong, before trees are merged."""

from typing import Any

import msgspec
import pytest

from fleetconf.errors import ConfigError
from fleetconf.place import Place
from fleetconf.shapes import check_shapes


class _Inner(msgspec.Struct):
    items: tuple[int, ...]


class _Tree(msgspec.Struct):
    inner: _Inner
    named: dict[str, _Inner]


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"inner": {"items": {"a": 1}}}, "inner.items: this is a mapping, not a list"),
        ({"inner": {"items": 3}}, "inner.items: this is 3, not a list"),
        ({"inner": [1]}, "inner: [1] is not a mapping"),
        ({"named": {"x": {"items": {}}}}, "named.x.items: this is a mapping"),
    ],
)
def test_a_wrong_shape_is_named_with_its_key(tree: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_shapes(tree, _Tree, Place())
    assert said in str(caught.value)


def test_what_may_still_become_right_is_let_through() -> None:
    check_shapes({"inner": "${a}", "named": {"x": {"items": "${b}"}}, "odd": [1]}, _Tree, Place())
