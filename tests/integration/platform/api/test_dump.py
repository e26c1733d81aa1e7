"""A dump of the database holds nothing with which anybody could log in."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

WORKERS = 8
TOKENS_MIN = 40
TRIED_IN_SUITE = 600
PLAIN = re.compile(rb"[0-9a-f-]{36}|[-+0-9.: ]*|\w{1,12}")
VALUES = """
select format('select %I as value from %s where %I is not null', a.attname,
    a.attrelid::regclass, a.attname)
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
where c.relnamespace::regnamespace::text in ('iot', 'iot_private') and c.relkind in ('r', 'p', 'm')
  and not c.relispartition and a.attnum > 0 and not a.attisdropped
"""
SETTINGS = """
select distinct unnest(array[setconfig::text, rolname::text]) from pg_db_role_setting
join pg_roles on pg_roles.oid = setrole
"""
NOT_IN_HEADERS = {*range(0x20), 0x7F}
"""Bytes that no header may hold (RFC 9110, 5.5); what has one cannot be sent as a token."""
ROUTES = (("GET", "/v1/clock", b""), ("POST", "/v1/readings", b'{"readings": []}'))
"""The first takes the operator's token and API keys, the second the tokens of devices."""


def _leaves(value: Any) -> Iterator[Any]:
    """What a value holds: itself, and each member of a document or a list."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _leaves(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _leaves(member)
    else:
        yield value


def _encodings(value: Any) -> Iterator[bytes]:
    """A value as somebody who has a dump might send it."""
    if isinstance(value, bytes):
        yield value
        yield value.hex().encode()
        yield base64.b64encode(value)
        yield base64.urlsafe_b64encode(value).rstrip(b"=")
    else:
        text = str(value)
        yield text.encode()
        with suppress(json.JSONDecodeError):
            for leaf in _leaves(json.loads(text)):
                yield str(leaf).encode()


async def _dump(everything: Any) -> set[bytes]:
    """Every value of every column, in every encoding."""
    found = set()
    queries = [row[0] for row in await everything.owner.fetch(VALUES)]
    for query in [*queries, SETTINGS]:
        for row in await everything.owner.fetch(query):
            value = row[0]
            for leaf in _leaves(value):
                found |= set(_encodings(leaf))
    return found


async def _give_out_tokens(everything: Any) -> set[str]:
    """Everybody's tokens, those of devices that were enrolled with an idempotency key too."""
    given = {"operator-token-of-the-tests"}
    for tenant in everything.tenants:
        given |= {tenant.device_token, *tenant.tokens.values()}
        body = {
            "devices": [{"serial_number": f"{tenant.mark}-dump", "device_type": "thermometer"}]
        }
        answer = await everything.http.post(
            "/v1/devices/bulk", json=body,
            headers={
                "Authorization": f"Bearer {tenant.tokens['admin']}", "Idempotency-Key": "dump",
            },
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        given.add(answer.json()["devices"][0]["token"])
    return given


@pytest.fixture(scope="module")
async def dump(everything) -> tuple[set[str], set[bytes]]:
    given = await _give_out_tokens(everything)
    return given, await _dump(everything)


async def test_no_value_is_or_holds_a_token(dump) -> None:
    given, values = dump
    assert len(given) >= TOKENS_MIN
    everything = b"\n".join(values)
    assert [token for token in given if token.encode() in everything] == []


@pytest.mark.campaign
async def test_no_value_that_looks_like_a_token_is_accepted_as_one(everything, dump) -> None:
    await _try(everything, sorted(_sendable(dump[1]), key=_is_plain)[:TRIED_IN_SUITE])


@pytest.mark.campaign
async def test_no_value_is_accepted_as_a_token(everything, dump) -> None:
    await _try(everything, _sendable(dump[1]))


def _sendable(values: set[bytes]) -> list[bytes]:
    return [one for one in values if one.strip() and not set(one) & NOT_IN_HEADERS]


def _is_plain(value: bytes) -> tuple[bool, bytes]:
    """Whether a value is an id, a number or a time: whatever else there is comes first."""
    return PLAIN.fullmatch(value) is not None, value


async def _try(everything: Any, values: list[bytes]) -> None:
    """Send each value as a bearer token; none may be taken, and a true one is."""
    accepted, tried = [], 0
    rest = iter(values)

    async def work() -> None:
        nonlocal tried
        for value in rest:
            for method, path, body in ROUTES:
                status = await _status(everything, method, path, body, value)
                tried += 1
                if status not in (400, 401):
                    accepted.append((value, path, status))

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    print(f"{tried} tries")
    assert accepted == []
    assert tried > 1_000
    for token in (everything.tenants[0].tokens["admin"], everything.tenants[0].device_token):
        statuses = [await _status(everything, *route, token.encode()) for route in ROUTES]
        assert 200 in statuses


async def _status(everything: Any, method: str, path: str, body: bytes, value: bytes) -> int:
    headers = [
        (b"Authorization", b"Bearer " + value), (b"Content-Type", b"application/json"),
    ]  # fmt: skip
    answer = await everything.http.request(method, path, headers=headers, content=body)
    assert answer.status_code != 401 or msgspec.json.decode(answer.content)["code"] == (
        "unauthorized"
    )
    return answer.status_code
