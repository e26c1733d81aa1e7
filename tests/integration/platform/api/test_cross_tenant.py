"""No tenant learns anything of another: a foreign id is answered as one that never was.

Routes and ids come from the OpenAPI document and the catalogue of the database, so what is added
there is tried here too.
"""

import asyncio
import functools
import json
import math
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.wire.clock import wall_now_us

SEED = 20261125
TRIES_MIN = 2_000
CALLERS = 5
"""The first of the tenants ask, the others are asked for, and must not be changed by it."""
WORKERS = 8
KINDS = ("foreign", "random", "deleted")
UUID_TEXT = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
NUMBER = re.compile(r"\d+")
FINGERPRINT = """
select md5(coalesce(string_agg(md5(t::text), '' order by md5(t::text)), ''))
from {} as t where organization_id = $1
"""
USUAL = {
    "conditions": {"threshold_high": 1e9},
    "device_type": "thermometer",
    "severity": "info",
    "devices": [],
    "since_us": 1_780_272_000_000_000,
    "until_us": 1_780_272_060_000_000,
    "width_us": 60_000_000,
}
"""Members of bodies, and parameters, that schemas alone do not tell."""
MOVED_BY_THE_PLATFORM = {
    "iot.device_contacts", "iot.organization_rates", "iot.reprocessing_jobs",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where an operation takes an id: in its path, its query, or a member of its body."""

    method: str
    path: str
    operation: Any
    where: str
    name: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.where} {self.name}"


def _resolve(schema: Any, document: Any) -> Any:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _is_id(schema: Any) -> bool:
    """Whether a value is an id, or null, or a list of ids."""
    some = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return any(
        one.get("format") == "uuid" or one.get("items", {}).get("format") == "uuid" for one in some
    )


def _operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["x-role"] in ("viewer", "operator", "admin"):
                yield method, path, operation


def _body_of(operation: Any, document: Any) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else _resolve(content["schema"], document)


def _places(document: Any) -> Iterator[Place]:
    for method, path, operation in _operations(document):
        for one in operation.get("parameters", []):
            if one["in"] in ("path", "query") and _is_id(one["schema"]):
                yield Place(method, path, operation, one["in"], one["name"])
        body = _body_of(operation, document) or {}
        for name, member in body.get("properties", {}).items():
            if _is_id(_resolve(member, document)):
                yield Place(method, path, operation, "body", name)


def _sample(schema: Any, name: str, document: Any) -> Any:
    """A value that a schema takes, as small as can be."""
    schema = _resolve(schema, document)
    some = schema.get("anyOf") or schema.get("oneOf")
    if name in USUAL:
        return USUAL[name]
    if some:
        return _sample(some[0], name, document)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        members = schema.get("properties", {})
        return {one: _sample(members[one], one, document) for one in schema.get("required", [])}
    if schema.get("format") == "uuid":
        return str(uuid.uuid4())
    samples = {"string": f"tried {name}", "integer": 1, "number": 1.0, "boolean": True}
    return samples.get(kind, [])


class Trier:
    """Sends an operation with ids of one's own but for one place."""

    def __init__(self, everything: Any) -> None:
        self.all = everything
        self.tries: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.leaks: list[str] = []

    async def request(self, place: Place, caller: Any, value: str) -> tuple[str, Any, Any]:
        """Path with query, and the body, of one try."""
        path, query, document = place.path, {}, self.all.document
        for one in place.operation.get("parameters", []):
            here = (one["in"], one["name"]) == (place.where, place.name)
            if one["in"] == "path":
                own = value if here else await self._own(one, caller)
                path = path.replace(f"{{{one['name']}}}", own)
            elif one["in"] == "query" and (here or one.get("required")):
                query[one["name"]] = value if here else await self._own(one, caller)
        schema = _body_of(place.operation, document)
        body = None if schema is None else _sample(schema, "", document)
        if place.where == "body":
            member = _resolve(schema["properties"][place.name], document)
            is_list = "array" in json.dumps(member)
            body[place.name] = [value] if is_list else value
        return path, query, body

    async def _own(self, parameter: Any, caller: Any) -> str:
        if _is_id(parameter["schema"]):
            return str(await self.all.id_of(caller, parameter["name"]))
        return str(_sample(parameter["schema"], parameter["name"], self.all.document))

    async def send(self, place: Place, caller: Any, role: str, value: str) -> httpx.Response:
        path, query, body = await self.request(place, caller, value)
        return await self.all.http.request(
            place.method, path, params=query, json=body,
            headers={"Authorization": f"Bearer {caller.tokens[role]}"},
        )  # fmt: skip

    async def compare(self, place: Place, caller: Any, victim: Any, role: str) -> None:
        """A foreign id, one that never was, and one that is no more: one answer."""
        values = {
            "foreign": str(await self.all.id_of(victim, place.name)),
            "random": str(uuid.uuid4()),
            "deleted": str(await self.all.deleted_id(victim, place.name)),
        }
        answers = {}
        for kind in KINDS:
            answer = await self.send(place, caller, role, values[kind])
            self.tries[kind] += 1
            self.statuses[f"{place} as {role}: {answer.status_code}"] += 1
            said = answer.text.replace(values[kind], "<id>")
            self.check(f"{place} {kind}", said, caller, answer.status_code)
            answers[kind] = (answer.status_code, NUMBER.sub("0", UUID_TEXT.sub("<uuid>", said)))
        if len(set(answers.values())) > 1:
            self.leaks.append(f"{place} as {role}: told apart: {answers}")

    def check(self, what: str, said: str, caller: Any, status: int) -> None:
        """An answer holds no id and no text of another tenant, and is no mistake."""
        for other in self.all.tenants:
            if other is not caller and (other.mark in said or str(other.organization) in said):
                self.leaks.append(f"{what}: shows something of another tenant: {said[:300]}")
        if status >= 500:
            self.leaks.append(f"{what}: {status} {said[:300]}")


async def _run(jobs: list[Any]) -> None:
    """All of the jobs, some at a time."""
    rest = iter(jobs)

    async def work() -> None:
        for job in rest:
            await job()

    await asyncio.gather(*(work() for _ in range(WORKERS)))


async def _fingerprints(everything: Any) -> dict[str, str]:
    return {
        f"{tenant.mark} {table}": await everything.owner.fetchval(
            FINGERPRINT.format(table), tenant.organization
        )
        for tenant in everything.tenants[CALLERS:]
        for table in set(everything.tables) - MOVED_BY_THE_PLATFORM
    }


async def test_a_foreign_id_is_answered_as_one_that_never_was(everything) -> None:
    before = await _fingerprints(everything)
    places = list(_places(everything.document))
    pairs = [
        (caller, victim, role)
        for caller in everything.tenants[:CALLERS]
        for victim in everything.tenants[CALLERS:]
        for role in ("admin", "operator", "viewer")
    ]
    random.Random(SEED).shuffle(pairs)
    count = max(2 * CALLERS, math.ceil(TRIES_MIN / (3 * len(places))))
    trier = Trier(everything)
    await _run([
        functools.partial(trier.compare, place, caller, victim, role)
        for place in places
        for caller, victim, role in _some(pairs, count)
    ])  # fmt: skip
    assert trier.leaks == []
    assert sum(trier.tries.values()) >= TRIES_MIN
    assert await _fingerprints(everything) == before
    print(f"{sum(trier.tries.values())} tries at {len(places)} places")


def _some(pairs: list[Any], count: int) -> list[Any]:
    return [pairs[n % len(pairs)] for n in range(count)]


async def test_ones_own_ids_are_answered(everything) -> None:
    """What is refused to others is there for its owner: the tries above try something."""
    trier = Trier(everything)
    caller = everything.tenants[0]
    unanswered = []
    for place in _places(everything.document):
        if place.method == "get" and place.where == "path":
            own = str(await everything.id_of(caller, place.name))
            answer = await trier.send(place, caller, "admin", own)
            if answer.status_code != 200:
                unanswered.append((str(place), answer.status_code, answer.text))
    assert unanswered == []


async def test_lists_show_ones_own(everything) -> None:
    """Every GET without an id in its path, as every tenant: no id and no text of another's."""
    trier = Trier(everything)
    for method, path, operation in _operations(everything.document):
        if method != "get" or "{" in path:
            continue
        place = Place(method, path, operation, "", "")
        for caller in everything.tenants:
            answer = await trier.send(place, caller, "viewer", "")
            if answer.status_code == 403:
                answer = await trier.send(place, caller, "admin", "")
            trier.check(str(place), answer.text, caller, answer.status_code)
            assert answer.status_code in (200, 422), (path, answer.text)
    assert trier.leaks == []


async def test_readings_of_a_foreign_sensor_are_refused_as_of_one_that_never_was(
    everything,
) -> None:
    caller = everything.tenants[0]
    said = set()
    for other in everything.tenants[1:]:
        foreign = other.rows["iot.sensors"]["sensor_id"]
        for sensor in (foreign, uuid.uuid4()):
            reading = {"sensor": str(sensor), "t": wall_now_us(), "v": 1.0}
            answer = await everything.http.post(
                "/v1/readings",
                json={"readings": [reading]},
                headers={"Authorization": f"Bearer {caller.device_token}"},
            )
            assert answer.json()["accepted"] == 0
            said.add(answer.text.replace(str(sensor), ""))
    assert len(said) == 1


async def _refused(conn: asyncpg.Connection, statement: str, *arguments: object) -> bool:
    """Whether a statement is refused, or touches nothing."""
    inner = conn.transaction()
    await inner.start()
    try:
        done = await conn.execute(statement, *arguments)
        return done.endswith(" 0")
    except asyncpg.InsufficientPrivilegeError:
        return True
    except asyncpg.IntegrityConstraintViolationError:
        return False
    finally:
        await inner.rollback()


async def _tries(everything: Any, conn: Any, table: str, victim: Any) -> Iterator[Any]:
    columns = await everything.owner.fetch(
        "select attname::text as name, has_column_privilege('iot_api', attrelid, attnum, 'insert')"
        " as insert, has_column_privilege('iot_api', attrelid, attnum, 'update') as update"
        " from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped",
        table,
    )
    row = await everything.owner.fetchval(
        f"select to_jsonb(r) from {table} as r where organization_id = $1 limit 1",
        victim.organization,
    )
    into = ", ".join(one["name"] for one in columns if one["insert"]) or "organization_id"
    changed = next((one["name"] for one in columns if one["update"]), "organization_id")
    own = victim.organization
    populated = f"select {into} from jsonb_populate_record(null::{table}, $1::jsonb)"
    return [
        ("select", f"select from {table} where organization_id = $1", own),
        ("update", f"update {table} set {changed} = {changed} where organization_id = $1", own),
        ("delete", f"delete from {table} where organization_id = $1", own),
        ("insert", f"insert into {table} ({into}) {populated}", json.loads(row)),
    ]


@pytest.fixture
async def api_pool(everything, make_settings):
    url = everything.service.settings.database_urls["iot_api"]
    pool = await open_pool(url, make_settings().database, "iot_api")
    yield pool
    await pool.close()


async def test_no_table_gives_or_takes_a_foreign_row(everything, api_pool) -> None:
    """Every tenant table × no tenant or a foreign one × all commands, as the API's own role."""
    wrong, tried = [], 0
    some = everything.tenants
    for number, victim in enumerate(some):
        for who in (None, some[number - 1]):
            tenant = None if who is None else Tenant(who.organization, "api_key:test")
            async with transaction(api_pool, tenant) as conn:
                for table in everything.tables:
                    for command, statement, argument in await _tries(
                        everything, conn, table, victim
                    ):
                        tried += 1
                        if not await _refused(conn, statement, argument):
                            wrong.append((table, command, who and who.mark))
    assert wrong == []
    assert tried == len(some) * 2 * len(everything.tables) * 4
