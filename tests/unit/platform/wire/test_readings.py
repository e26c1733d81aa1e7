"""Bodies of readings, both ways."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.errors import WireError
from fleetplatform.wire.readings import (
    check_metadata,
    decode_arrow,
    decode_json,
    encode_arrow,
    encode_json,
    parse_time,
)

HALF = st.integers(0, 2**64 - 1)
TIME = st.integers(-(2**62), 2**62)
VALUE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(HALF, HALF, TIME, st.floats())))
def test_arrow_keeps_every_bit(rows):
    high, low, t_us, value = (list(c) for c in zip(*rows, strict=True)) if rows else ([],) * 4
    columns = (
        np.array(high, dtype=np.uint64),
        np.array(low, dtype=np.uint64),
        np.array(t_us, dtype=np.int64),
        np.array(value, dtype=np.float64),
    )
    found = decode_arrow(encode_arrow(*columns), len(rows))
    got = (found.sensor_high, found.sensor_low, found.t_us, found.value)
    for sent, read in zip(columns, got, strict=True):
        assert sent.tobytes() == np.ascontiguousarray(read).tobytes()


def test_arrow_takes_any_layout_of_the_arrays():
    strided = np.arange(20)[::2]
    body = encode_arrow(strided.astype(np.uint64), strided.astype(np.uint64), strided, strided)
    found = decode_arrow(body, 10)
    assert found.t_us.tolist() == found.value.tolist() == strided.tolist()


@given(st.binary(max_size=400))
def test_arrow_from_outside_is_refused_and_never_fails_otherwise(body):
    with pytest.raises(WireError):
        decode_arrow(body, 100)


@given(st.data())
def test_a_damaged_arrow_body_never_fails_otherwise(data):
    good = bytearray(
        encode_arrow(*(np.arange(9, dtype=k) for k in (np.uint64, np.uint64, np.int64, float)))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_arrow(bytes(good), 100)
    except WireError:
        return
    assert len(found.sensor_high) == len(found.value) == len(found)


@given(st.lists(st.tuples(st.text(), TIME, VALUE)))
def test_json_keeps_every_bit(rows):
    names, times, values = (list(c) for c in zip(*rows, strict=True)) if rows else ([],) * 3
    names = [name.encode("utf-8", "replace").decode() for name in names]
    found = decode_json(encode_json(names, times, values), len(rows))
    assert (found.sensors, found.t_us) == (names, times)
    assert np.array(found.values).tobytes() == np.array(values, dtype=float).tobytes()


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(JUNK | st.fixed_dictionaries({"sensor": JUNK, "t": JUNK, "v": JUNK, "m": JUNK})))
def test_junk_among_readings_is_judged_one_at_a_time(junk):
    good = {"sensor": "a", "t": 5, "v": 1.5}
    body = json.dumps({"readings": [good, *junk, good]})
    try:
        found = decode_json(body.encode("utf-8", "surrogatepass"), 1000)
    except WireError:
        # A lone surrogate makes the whole text no UTF-8, and so no JSON.
        body.encode("utf-8")
        raise
    assert len(found) == len(junk) + 2
    for place in (0, -1):
        assert (found.sensors[place], found.t_us[place], found.values[place]) == ("a", 5, 1.5)
    assert 0 not in found.malformed
    assert all(-(2**63) <= t < 2**63 for t in found.t_us)
    check_metadata(found.metadata, 100)


def test_a_number_beyond_all_floats_is_an_infinity():
    body = b'{"readings":[{"sensor":"a","t":1,"v":-%b}]}' % (b"9" * 5000)
    assert decode_json(body, 1).values == [-math.inf]


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("{}", False),
        ('{"a": "' + "x" * 90 + '"}', False),
        ('{"a": "' + "x" * 100 + '"}', True),
        ('{"a": "\\u0000"}', True),
        (r'{"a": "\\u0000"}', False),
        (r'{"a": "\\\u0000"}', True),
        (r'{"a": "\n\\\\u0000", "b": "x\\\\\u0000"}', True),
        ("[]", True),
        ("5", True),
        ("{", True),
        ('{"a": NaN}', True),
        ('{"a": 1e999}', True),
        ('{"a": "\ud800"}', True),
    ],
)
def test_metadata_that_cannot_be_stored(text, bad):
    kept, found = check_metadata([None, text], 100)
    assert found == ((1,) if bad else ())
    assert kept == [None, None if bad else text]


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("2200-01-01T00:00:00.000001+00:00", 7_258_118_400_000_001),
        ("1970-01-01T01:00:00.5+01:00", 500_000),
        ("1970-01-01T00:00:00", None),
        ("yesterday", None),
        (True, None),
        (1.5, None),
        (10**30, 2**63 - 1),
    ],
)
def test_times(text, us):
    assert parse_time(text) == us


def test_json_of_more_objects_and_lists_than_readings_have_is_refused_unread():
    """Twenty million empty lists are 64 kB of gzip: half a minute in which no device is served."""
    for many in (b"[]", b"{}"):
        with pytest.raises(WireError, match="too many objects and lists"):
            decode_json(b'{"readings":[%b]}' % b",".join([many] * 10_000), 1000)
    nested = b'{"sensor":"s","t":1,"v":NaN,"m":{"a":[1],"b":{}}}'
    assert len(decode_json(b'{"readings":[%b]}' % b",".join([nested] * 1000), 1000)) == 1000
