"""A platform with tenants that have some of everything, whatever tables there are."""

import asyncio
import itertools
import json
import random
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest

from fleetplatform.client import Client
from fleetplatform.registry.tokens import digest
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice, NewDevices

TENANTS = 10
ROLES = ("viewer", "operator", "admin")
TRIES_MAX = 400
LITERAL = re.compile(r"'([^']*)'::text")
COLUMNS = """
select a.attname as name, format_type(a.atttypid, null) as type, a.attnotnull as required,
    a.atthasdef as has_default, a.attnum as number, a.attidentity <> '' or a.attgenerated <> ''
        as generated
from pg_attribute as a
where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
CONSTRAINTS = """
select c.conname as name, c.contype::text as type, c.confrelid::regclass::text as target,
    pg_get_constraintdef(c.oid) as definition,
    array(select attname::text from unnest(c.conkey) with ordinality as k (number, n)
          join pg_attribute on attrelid = c.conrelid and attnum = k.number order by n) as columns,
    array(select attname::text from unnest(c.confkey) with ordinality as k (number, n)
          join pg_attribute on attrelid = c.confrelid and attnum = k.number order by n) as targets
from pg_constraint as c where c.conrelid = $1::regclass
"""
PRIMARY_KEY = """
select attname::text from pg_index join pg_attribute on attrelid = indrelid
    and attnum = any (indkey)
where indrelid = $1::regclass and indisprimary
"""
TENANT_TABLES = """
select c.oid::regclass::text from pg_class as c
where c.relnamespace = 'iot'::regnamespace and c.relkind in ('r', 'p') and c.relrowsecurity
  and not c.relispartition
order by c.relname
"""
ID_TABLE = """
select c.conrelid::regclass::text from pg_constraint as c
where c.contype = 'p' and c.connamespace = 'iot'::regnamespace and (
    select array_agg(attname::text order by attname) from pg_attribute
    where attrelid = c.conrelid and attnum = any (c.conkey)
) = (select array_agg(n order by n) from unnest(array['organization_id', $1]) as n)
and not exists (  -- a row about a row of another table
    select from pg_constraint as f
    where f.conrelid = c.conrelid and f.contype = 'f' and f.conkey = c.conkey
)
or c.contype = 'p' and $1 = 'organization_id' and c.conrelid = 'iot.organizations'::regclass
"""
REFERENCED = """
select t.oid::regclass::text as target, f.attname::text as column
from pg_constraint as c
join pg_class as t on t.oid = c.confrelid
join lateral unnest(c.conkey, c.confkey) as k (here, there) on true
join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.here
join pg_attribute as f on f.attrelid = c.confrelid and f.attnum = k.there
where c.contype = 'f' and c.connamespace = 'iot'::regnamespace and a.attname = $1
  and f.attname <> 'organization_id' or c.contype = 'f' and a.attname = $1
  and t.oid = 'iot.organizations'::regclass and c.connamespace = 'iot'::regnamespace
limit 1
"""


MEANT = {"shape": {"circle": {"latitude": 1.0, "longitude": 1.0, "radius_m": 1.0}}}
"""What columns hold that the catalogue does not tell, and that the platform reads."""


class Filler:
    """Makes a row of any tenant table, by its catalogue alone; `mark` stands in each text."""

    def __init__(self, conn: asyncpg.Connection, seed: int = 7) -> None:
        self._conn = conn
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self.made: list[tuple[str, dict[str, Any]]] = []

    async def has_row(self, table: str, organization: uuid.UUID) -> bool:
        query = f"select exists (select from {table} where organization_id = $1)"
        return await self._conn.fetchval(query, organization)

    async def add(self, table: str, organization: uuid.UUID, mark: str) -> dict[str, Any]:
        """Insert a row; what a constraint refuses is drawn anew, up to TRIES_MAX times."""
        columns = {row["name"]: row for row in await self._conn.fetch(COLUMNS, table)}
        constraints = {row["name"]: row for row in await self._conn.fetch(CONSTRAINTS, table)}
        values: dict[str, Any] = {"organization_id": organization}
        for name, column in columns.items():
            if column["required"] and not column["has_default"] and not column["generated"]:
                values.setdefault(name, self._draw(column, constraints.values(), mark))
        drawn = values.keys() - {"organization_id"}
        foreign = [one for one in constraints.values() if one["type"] == "f"]
        for one in foreign:
            if values.keys() & (set(one["columns"]) - {"organization_id"}):
                values |= await self._refer(one, organization, mark)
        for _ in range(TRIES_MAX):
            try:
                async with self._conn.transaction():
                    return await self._insert(table, values)
            except (asyncpg.CheckViolationError, asyncpg.UniqueViolationError) as error:
                why = error
                broken = constraints.get(error.constraint_name or "")
                # A trigger names no columns: then it may be any of them.
                for name in set(broken["columns"] if broken else drawn) - {"organization_id"}:
                    values[name] = self._draw(columns[name], constraints.values(), mark)
                for one in foreign:
                    told = values.keys() & (set(one["columns"]) - {"organization_id"})
                    if told and (broken is None or set(one["columns"]) & set(broken["columns"])):
                        values |= await self._refer(one, organization, mark, fresh=True)
        raise AssertionError(f"no row of {table} can be made: {why}; make one in `everything`")

    async def _insert(self, table: str, values: dict[str, Any]) -> dict[str, Any]:
        names = ", ".join(values)
        text = json.dumps(values, default=str)
        row = await self._conn.fetchrow(
            f"insert into {table} ({names}) select {names}"
            f" from jsonb_populate_record(null::{table}, $1::jsonb) returning *",
            text,
        )
        self.made.append((table, dict(row)))
        return dict(row)

    async def delete_made(self) -> None:
        """Delete what was made since `made` was emptied, the last first."""
        while self.made:
            table, row = self.made.pop()
            keys = await self._conn.fetch(PRIMARY_KEY, table)
            where = " and ".join(f"{key[0]} = ${n}" for n, key in enumerate(keys, 1))
            values = (row[key[0]] for key in keys)
            await self._conn.execute(f"delete from {table} where {where}", *values)

    async def _refer(
        self, key: Any, organization: uuid.UUID, mark: str, *, fresh: bool = False
    ) -> dict[str, Any]:
        """The columns of a reference, to a row of the same tenant, made where there is none."""
        target, is_tenants = key["target"], "organization_id" in key["targets"]
        where = "organization_id = $1" if is_tenants else "$1::uuid is not null"
        query = f"select * from {target} where {where} limit 1"
        row = await self._conn.fetchrow(query, organization)
        if row is None or (fresh and is_tenants and target != "iot.organizations"):
            row = await self.add(target, organization, mark)
        return {
            here: row[there] for here, there in zip(key["columns"], key["targets"], strict=True)
        }

    def _draw(self, column: Any, constraints: Any, mark: str) -> Any:
        kind, number = column["type"], next(self._numbers)
        if column["name"] in MEANT:
            return MEANT[column["name"]]
        known = [
            text
            for one in constraints
            if one["type"] == "c" and column["name"] in one["columns"]
            for text in LITERAL.findall(one["definition"])
        ]
        if kind == "text" and known and self._random.random() < 0.9:
            return self._random.choice(known)
        choices: dict[str, list[Any]] = {
            "text": [f"{mark}-{number}", f"{number:064x}", f"{number:040x}", "a", None],
            "uuid": [str(uuid.uuid4())],
            "boolean": [True, False],
            "bytea": ["\\x" + f"{number:064x}", "\\x" + f"{number:032x}", None],
            "jsonb": [{}, {"a": number}, [], None],
            "json": [{}, {"a": number}, []],
            "timestamp with time zone": ["2026-11-25T00:00:00Z", "2027-11-25T00:00:00Z", None],
            "date": [f"{1900 + number % 100}-11-25"],
            "interval": ["1 day"],
            "point": ["(1,1)"],
            "box": ["(2,2),(1,1)"],
            "polygon": ["((0,0),(1,0),(1,1))", None],
            "box[]": [["(2,2),(1,1)"]],
            "double precision[]": [[1.0, 2.0]],
            "text[]": [[f"{mark}-{number}"], []],
            "uuid[]": [[]],
        }
        whole: list[Any] = [1, number % 30_000, 0, None]
        numbers = {"double precision": [1.0, 0.5, 0.0, None], "real": [1.0, 0.5, None]}
        drawn = self._random.choice(choices.get(kind) or numbers.get(kind, whole))
        return choices.get(kind, [1])[0] if drawn is None and column["required"] else drawn


@dataclass
class Somebody:
    """A tenant; tokens by role, ids by table: own[table] is a row."""

    mark: str
    organization: uuid.UUID
    tokens: dict[str, str]
    device_token: str = ""
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Everything:
    """A service of its own with tenants that have a row in every tenant table."""

    service: Any
    owner: asyncpg.Connection
    http: httpx.AsyncClient
    tables: list[str]
    tenants: list[Somebody]
    filler: Filler
    document: dict[str, Any]
    gone: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    known: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def table_of(self, name: str) -> tuple[str, str] | None:
        """The tenant table, and its column, whose ids a parameter or member of this name holds."""
        async with self.lock:
            if name not in self.known:
                self.known[name] = await self._find_table(ALIASES.get(name, name))
        return self.known[name]

    async def _find_table(self, name: str) -> tuple[str, str] | None:
        for one in (name, name.removesuffix("s")):
            if table := await self.owner.fetchval(ID_TABLE, one):
                return table, one
            if row := await self.owner.fetchrow(REFERENCED, one):
                return row["target"], row["column"]
        return None

    async def id_of(self, tenant: Somebody, name: str) -> uuid.UUID:
        found = await self.table_of(name)
        assert found is not None, f"{name}: no tenant table has such an id; see ALIASES"
        table, column = found
        return tenant.rows[table][column]

    async def deleted_id(self, tenant: Somebody, name: str) -> uuid.UUID:
        """An id of a row that was there and is no more."""
        found = await self.table_of(name)
        assert found is not None, name
        table, column = found
        return self.gone[tenant.mark, table][column]


ALIASES = {"subject": "device_id", "group": "group_id", "gateway": "device_id"}
"""Names of parameters that hold the id of something which they do not name."""


@pytest.fixture(scope="session")
async def everything(postgres, lasting_service_of, specification) -> AsyncIterator[Everything]:
    """Ten tenants with some of everything."""
    name = f"everything_{uuid.uuid4().hex[:12]}"
    root = await asyncpg.connect(postgres.url())
    await root.execute(f'create database "{name}" template template0')
    service = await (await lasting_service_of(postgres.url(name))).start()
    owner = await asyncpg.connect(postgres.url(name))
    async with service.operator() as operator:
        for kind in ("thermometer", "climate_v2", "gateway"):
            await operator.put_device_type(specification(kind))
    tables = [row[0] for row in await owner.fetch(TENANT_TABLES)]
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=60) as http:
        document = (await http.get("/v1/openapi.json")).json()
        filler = Filler(owner)
        made = Everything(service, owner, http, tables, [], filler, document)
        for number in range(TENANTS):
            made.tenants.append(await _somebody(made, number))
        yield made
    await owner.close()
    await service.terminate()
    await root.execute(f'drop database "{name}" with (force)')
    await root.close()


async def _somebody(made: Everything, number: int) -> Somebody:
    mark = f"m{number}x{uuid.uuid4().hex[:10]}"
    async with made.service.operator() as operator:
        new = await operator.create_organization(f"{mark} organization")
    who = Somebody(mark, new.organization_id, {"admin": new.api_key})
    for role in ROLES[:2]:
        who.tokens[role] = f"{mark}-{role}-{uuid.uuid4().hex}"
        await made.owner.execute(
            "insert into iot.api_keys (organization_id, token_sha256, name, role)"
            " values ($1, $2, $3, $4)",
            who.organization, digest(who.tokens[role]), f"{mark} {role}", role,
        )  # fmt: skip
    await _use(made, who)
    for table in made.tables:
        if not await made.filler.has_row(table, who.organization):
            await made.filler.add(table, who.organization, mark)
        query = f"select * from {table} where organization_id = $1 limit 1"
        who.rows[table] = dict(await made.owner.fetchrow(query, who.organization))
    for table in set(made.tables) - {"iot.organizations", "iot.sensor_data"}:
        keys = [row[0] for row in await made.owner.fetch(PRIMARY_KEY, table)]
        if keys != ["organization_id"]:  # of which each tenant has one row, and ever the same
            await _add_and_delete(made, who, table)
    await _forget_organization(made, who)
    return who


async def _use(made: Everything, who: Somebody) -> None:
    """What the platform itself reads is made as its users make it."""
    calibration = NewCalibration(sensor="temperature", multiplier=2.0, offset=0.0)
    device = NewDevice(
        serial_number=f"{who.mark}-t", device_type="thermometer", calibrations=(calibration,)
    )
    async with Client(made.service.url, who.tokens["admin"]) as client:
        (enrolled,) = (await client.enrol(NewDevices(devices=(device,)))).devices
        await client.create_alert_rule(
            NewAlertRule(name=f"{who.mark} rule", conditions={"threshold_high": 1e9})
        )
    who.device_token = enrolled.token
    reading = {"sensor": "temperature", "t": wall_now_us(), "v": 1.0}
    answer = await made.http.post(
        "/v1/readings",
        json={"readings": [reading]},
        headers={"Authorization": f"Bearer {who.device_token}"},
    )
    assert answer.json()["accepted"] == 1, answer.text


async def _add_and_delete(made: Everything, who: Somebody, table: str) -> None:
    """In one transaction, with all that it refers to: no part of the platform ever sees it."""
    async with made.owner.transaction():
        made.filler.made.clear()
        row = await made.filler.add(table, who.organization, who.mark)
        await made.filler.delete_made()
    made.gone[who.mark, table] = row


async def _forget_organization(made: Everything, who: Somebody) -> None:
    """No organization is ever deleted; what would be left of one is nothing."""
    row = {"organization_id": uuid.uuid4()}
    async with made.owner.transaction():
        await made.owner.execute("set local session_replication_role = replica")
        await made.owner.execute(
            "insert into iot.organizations (organization_id, name) values ($1, 'gone')",
            row["organization_id"],
        )
        await made.owner.execute(
            "delete from iot.organizations where organization_id = $1", row["organization_id"]
        )
    made.gone[who.mark, "iot.organizations"] = row
