"""Cursors: of one list and one sort, and of nothing else."""

import uuid

import pytest

from fleetplatform.errors import InvalidError
from fleetplatform.wire.paging import cut, parse_page

SORTS = ("name", "created")
ITEMS = [(f"n{i}", uuid.UUID(int=i)) for i in range(5)]


def test_a_cursor_leads_on_in_its_own_list_only() -> None:
    first = parse_page(None, 2, "-name", SORTS, path="/v1/users")
    shown, cursor = cut(ITEMS[:3], first, lambda one: one)
    assert shown == tuple(ITEMS[:2])
    again = parse_page(cursor, 2, "-name", SORTS, path="/v1/users")
    assert (again.after_value, again.after_id, again.descending) == (*ITEMS[1], True)
    for path, sort in (("/v1/api-keys", "-name"), ("/v1/users", "name"), ("/v1/users", "created")):
        with pytest.raises(InvalidError) as caught:
            parse_page(cursor, 2, sort, SORTS, path=path)
        assert caught.value.code == "invalid_cursor"


def test_the_last_page_has_no_cursor() -> None:
    page = parse_page(None, 5, "name", SORTS)
    assert cut(ITEMS, page, lambda one: one) == (tuple(ITEMS), None)
