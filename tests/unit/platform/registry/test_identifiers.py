"""Which index an id has."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.registry.identifiers import IdIndex, split

HALF = st.integers(0, 2**64 - 1)
# Few different halves, so that ids share one of them as they never do in practice.
CLASHING = st.tuples(st.integers(0, 3), st.integers(0, 3))
IDS = st.lists(st.one_of(CLASHING, st.tuples(HALF, HALF)), unique=True, max_size=60)


def columns(ids: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(ids, dtype=np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@given(IDS, IDS, st.integers(0, 60))
def test_each_id_has_the_index_of_its_place(ids, others, cut):
    index = IdIndex.empty().extended(*columns(ids[:cut]))
    known = index.find(*columns(ids[:cut]))
    grown = index.extended(*columns(ids[cut:]))
    assert grown.find(*columns(ids)).tolist() == list(range(len(ids)))
    assert known.tolist() == index.find(*columns(ids[:cut])).tolist()
    places = {one: place for place, one in enumerate(ids)}
    assert grown.find(*columns(others)).tolist() == [places.get(one, -1) for one in others]


@given(st.lists(CLASHING, max_size=40), IDS)
def test_new_ids_are_found_once_each_in_order(seen, known):
    index = IdIndex.empty().extended(*columns(known))
    fresh = [seen[place] for place in index.new_among(*columns(seen))]
    assert fresh == list(dict.fromkeys(one for one in seen if one not in known))


def test_halves_are_those_of_the_bytes():
    high, low = split(bytes(range(16)) + bytes(16))
    assert high.tolist() == [0x0001020304050607, 0]
    assert low.tolist() == [0x08090A0B0C0D0E0F, 0]
