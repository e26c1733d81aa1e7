"""Bodies expanded, within their limit."""

import contextlib
import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.device_api.encodings import expand
from fleetplatform.device_api.refusal import Refusal

COMPRESS = {b"gzip": gzip.compress, b"zstd": zstandard.compress}


@given(st.binary(max_size=2000), st.binary(max_size=100), st.sampled_from(sorted(COMPRESS)))
def test_what_was_compressed_comes_back(first, second, encoding):
    """Several members or frames, one behind the other, are one body."""
    compress = COMPRESS[encoding]
    assert expand(compress(first) + compress(second), encoding, 3000) == first + second


@pytest.mark.parametrize("encoding", COMPRESS)
def test_the_limit_is_the_last_size_that_is_taken(encoding):
    body = COMPRESS[encoding](bytes(1000))
    assert len(expand(body, encoding, 1000)) == 1000
    with pytest.raises(Refusal) as caught:
        expand(body, encoding, 999)
    assert caught.value.problem.status == 413


@given(st.binary(max_size=300), st.sampled_from(sorted(COMPRESS)))
def test_anything_else_is_refused_and_never_fails_otherwise(body, encoding):
    with contextlib.suppress(Refusal):
        expand(body, encoding, 1000)


def test_identity_and_unknown_encodings():
    assert expand(b"x", b" Identity ", 10) == b"x"
    with pytest.raises(Refusal) as caught:
        expand(b"x", b"br", 10)
    assert caught.value.problem.status == 415
