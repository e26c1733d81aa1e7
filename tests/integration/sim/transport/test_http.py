"""The lean client against servers that speak real HTTP, and some that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fleetsim.errors import TransportError
from fleetsim.transport.http import HttpClient, head, request
from fleetsim.transport.outcome import Again, Refused, Taken, judge
from fleetsim.transport.response import NO_ANSWER

Answer = Callable[[asyncio.StreamWriter], Awaitable[bool]]


@asynccontextmanager
async def _server(answer: Answer, port: int = 0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Reads requests and lets `answer` write; False from it closes the connection."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                received = await reader.readuntil(b"\r\n\r\n")
                length = int(received.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                heads.append(received + await reader.readexactly(length))
                if not await answer(writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads
    server.close()


def _says(text: str, *, stay: bool = True) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> bool:
        writer.write(text.encode())
        await writer.drain()
        return stay

    return answer


def _post(client: HttpClient) -> bytes:
    return request(head(client, "/v1/readings", "secret", "application/json"), b"{}")


@asynccontextmanager
async def _client(url: str, timeout_s: float = 5.0) -> AsyncIterator[HttpClient]:
    client = HttpClient(url, lanes=1, timeout_s=timeout_s)
    yield client
    client.close()


_RECEIPT = '{"accepted":1,"duplicates":0,"rejected_total":0,"new":"member"}'
_OK = f"HTTP/1.1 200 OK\r\nContent-Length: {len(_RECEIPT)}\r\n\r\n{_RECEIPT}"


async def test_a_connection_serves_many_requests_and_they_carry_what_they_must() -> None:
    async with _server(_says(_OK)) as (url, heads), _client(url) as client:
        for _ in range(3):
            assert isinstance(judge(await client.exchange(0, _post(client))), Taken)
    assert len(heads) == 3
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "POST /v1/readings HTTP/1.1"
    assert f"Host: {url.removeprefix('http://')}" in lines
    assert "Authorization: Bearer secret" in lines
    assert lines[-1] == "{}"


async def test_a_server_that_closes_after_each_answer_is_met_on_a_new_connection() -> None:
    async with _server(_says(_OK, stay=False)) as (url, _), _client(url) as client:
        outcomes = []
        for _ in range(4):
            await client.ready(0)
            outcomes.append(judge(await client.exchange(0, _post(client))))
    assert all(isinstance(o, Taken) or (o.uncertain and o.at_once) for o in outcomes)  # type: ignore[union-attr]
    assert isinstance(outcomes[0], Taken)


@pytest.mark.parametrize(
    ("status", "fields", "outcome"),
    [
        ("429 Too Many", "Retry-After: 3\r\n", Again(uncertain=False, retry_after_s=3.0)),
        ("503 Busy", "", Again(uncertain=True)),
        ("500 Broken", "Retry-After: 1\r\n", Again(uncertain=True, retry_after_s=1.0)),
        ("401 Who", "", Refused("http_401")),
        ("200 OK", "", Again(uncertain=True)),
    ],
)
async def test_what_a_status_means(status: str, fields: str, outcome: Again | Refused) -> None:
    says = _says(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n{fields}\r\n{{}}")
    async with _server(says) as (url, _), _client(url) as client:
        assert judge(await client.exchange(0, _post(client))) == outcome


async def test_an_answer_that_does_not_come_in_time_is_none() -> None:
    async def silent(writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(5)
        return False

    async with _server(silent) as (url, _), _client(url, timeout_s=0.1) as client:
        reply = await asyncio.wait_for(client.exchange(0, _post(client)), 1)
    assert reply.status == NO_ANSWER
    assert judge(reply) == Again(uncertain=True)


async def test_a_server_that_speaks_something_else_is_no_answer() -> None:
    async with _server(_says("SSH-2.0-OpenSSH\r\n\r\n")) as (url, _), _client(url) as client:
        reply = await client.exchange(0, _post(client))
    assert reply.status == NO_ANSWER
    assert b"not an HTTP/1.1 response" in reply.body


async def test_ready_waits_until_the_server_is_back() -> None:
    async with _server(_says(_OK)) as (url, _):
        port = int(url.rpartition(":")[2])
    async with _client(url) as client:
        reply = await client.exchange(0, _post(client))
        assert reply.body.decode() == f"127.0.0.1:{port} cannot be reached"
        ready = asyncio.ensure_future(client.ready(0))
        await asyncio.sleep(0.12)
        assert not ready.done()
        async with _server(_says(_OK), port):
            await asyncio.wait_for(ready, 3)
            assert isinstance(judge(await client.exchange(0, _post(client))), Taken)


@pytest.mark.parametrize("url", ["https://there", "there:80", "http://", "ftp://there/x"])
async def test_a_url_that_is_not_http_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(TransportError, match="give a URL like http://host:port"):
        HttpClient(url, lanes=1, timeout_s=1.0)
