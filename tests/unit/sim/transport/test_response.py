"""One HTTP response, however the network cuts it into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.errors import ResponseError
from fleetsim.transport.response import NO_ANSWER, Reply, ResponseParser

COUNTED = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + COUNTED
BUSY = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nRETRY-AFTER: 2.5\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
UNCOUNTED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"

EXPECTED = {
    COUNTED: Reply(200, b"hello"),
    CHUNKED: Reply(200, b"hello"),
    INTERIM: Reply(200, b"hello"),
    BUSY: Reply(429, b"", retry_after_s=2.5),
    LAST: Reply(200, b"hello", keep_alive=False),
}


@given(
    response=st.sampled_from(sorted(EXPECTED)),
    cuts=st.sets(st.integers(1, 120), max_size=12),
)
def test_a_response_reads_the_same_in_any_pieces(response: bytes, cuts: set[int]) -> None:
    parser = ResponseParser()
    ends = [*sorted(cut for cut in cuts if cut < len(response)), len(response)]
    replies = [
        parser.feed(response[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True)
    ]
    assert replies[:-1] == [None] * (len(replies) - 1)
    assert replies[-1] == EXPECTED[response]
    assert not parser.started


def test_a_parser_reads_one_response_after_another() -> None:
    parser = ResponseParser()
    assert [parser.feed(r) for r in EXPECTED] == list(EXPECTED.values())


def test_a_body_without_a_length_lasts_until_the_connection_closes() -> None:
    parser = ResponseParser()
    assert parser.feed(UNCOUNTED) is None
    assert parser.close() == Reply(200, b"hello", keep_alive=False)


def test_a_connection_closed_within_a_counted_body_gives_no_reply() -> None:
    parser = ResponseParser()
    assert parser.feed(COUNTED[:-1]) is None
    assert parser.started
    assert parser.close() is None


def test_bytes_beyond_the_body_end_the_use_of_the_connection() -> None:
    reply = ResponseParser().feed(COUNTED + b"HTTP/1.1 200")
    assert reply == Reply(200, b"hello", keep_alive=False)


def test_http_1_0_closes_unless_it_says_otherwise() -> None:
    old = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    kept = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"
    assert ResponseParser().feed(old) == Reply(200, b"", keep_alive=False)
    assert ResponseParser().feed(kept) == Reply(200, b"", keep_alive=True)


def test_retry_after_may_be_a_date_and_nonsense_is_ignored() -> None:
    def retry_after(value: bytes) -> float | None:
        head = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\nRetry-After: " + value
        reply = ResponseParser().feed(head + b"\r\n\r\n")
        assert reply is not None
        return reply.retry_after_s

    assert retry_after(b"Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert (retry_after(b"Tue, 01 Jan 2115 00:00:00 GMT") or 0) > 1e9
    assert retry_after(b"soon") is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"x" * 100_000,
    ],
)
def test_what_is_no_http_is_refused(garbage: bytes) -> None:
    with pytest.raises(ResponseError):
        ResponseParser().feed(garbage)


def test_no_answer_is_no_status_a_server_can_send() -> None:
    assert NO_ANSWER not in range(100, 600)
