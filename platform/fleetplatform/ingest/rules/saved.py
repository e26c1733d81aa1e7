"""Processing rules as people save, change and delete them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, NotFoundError, QuotaError
from fleetplatform.ingest.rules import checks
from fleetplatform.ingest.rules.checks import Draft
from fleetplatform.ingest.rules.plans import inputs_of
from fleetplatform.registry.revisions import check_revision
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.processing_rules import (
    NewProcessingRule,
    ProcessingRule,
    ProcessingRuleChange,
    ProcessingRules,
)

RULES_MAX = 200
"""So many rules an organization may have: each is asked of every batch."""
NO_RULE = "the organization has no such processing rule"

_NEW = UUID(int=0)
_queries: Any = load(__file__)


async def create(pool: Pool, tenant: Tenant, new: NewProcessingRule) -> ProcessingRule:
    """Save a rule; readings are processed by it from then on.

    Raises what `checks.check` raises, ConflictError for a name that is taken, and QuotaError.
    """
    owner = tenant.organization
    inputs = _plain(new.inputs)
    draft = Draft(_NEW, new.name, new.kind, new.settings, inputs, new.device_type)
    try:
        async with transaction(pool, tenant) as conn:
            rows = await _own_rules(conn, owner)
            if len(rows) >= RULES_MAX:
                raise QuotaError(f"an organization may have {RULES_MAX} processing rules")
            units = await checks.check(conn, owner, _drafts(rows) | {_NEW: draft}, _NEW)
            row = await _queries.add_rule(
                conn,
                organization_id=owner,
                name=new.name,
                kind=new.kind,
                settings=new.settings,
                inputs=inputs,
                device_type=new.device_type,
                output_name=new.name if new.output_name is None else new.output_name,
                output_units=units[_NEW],
                is_active=new.is_active,
            )
    except asyncpg.UniqueViolationError:
        raise _taken(new.name) from None
    return _view(row)


async def change(
    pool: Pool, tenant: Tenant, rule: UUID, wanted: ProcessingRuleChange, expected: int | None
) -> ProcessingRule:
    """Change a rule; the next batch obeys.

    Raises what `create` raises, NotFoundError, and StaleError where it has another revision than
    the expected one.
    """
    owner = tenant.organization
    given = {
        name: _plain(value) if name == "inputs" else value
        for name, value in msgspec.structs.asdict(wanted).items()
        if value is not UNSET
    }
    try:
        async with transaction(pool, tenant) as conn:
            rows = await _own_rules(conn, owner)
            row = _found(rows, rule)
            check_revision(row["revision"], expected)
            new = {name: row[name] for name in _CHANGEABLE} | given
            drafts = _drafts(rows)
            drafts[rule] = Draft(
                rule, new["name"], row["kind"], new["settings"], new["inputs"], new["device_type"]
            )
            units = await checks.check(conn, owner, drafts, rule)
            row = await _queries.change_rule(
                conn, organization_id=owner, processing_rule_id=rule,
                output_units=units.pop(rule), **new,
            )  # fmt: skip
            for other, found in units.items():
                await _queries.change_units(
                    conn, organization_id=owner, processing_rule_id=other, output_units=found
                )
    except asyncpg.UniqueViolationError:
        raise _taken(str(given.get("name"))) from None
    return _view(row)


async def delete(pool: Pool, tenant: Tenant, rule: UUID, expected: int | None) -> None:
    """Delete a rule; the values that it made stay.

    Raises NotFoundError, StaleError, and ConflictError (rule_in_use) while another rule takes what
    it makes.
    """
    owner = tenant.organization
    async with transaction(pool, tenant) as conn:
        rows = await _own_rules(conn, owner)
        check_revision(_found(rows, rule)["revision"], expected)
        users = [row["name"] for row in rows.values() if rule in inputs_of(row["inputs"])]
        if users:
            said = f"what it makes is the input of {', '.join(sorted(users))}: change that first"
            raise ConflictError(said, code="rule_in_use")
        await _queries.delete_rule(conn, organization_id=owner, processing_rule_id=rule)


async def read(pool: Pool, tenant: Tenant, rule: UUID) -> ProcessingRule:
    """One rule that the organization sees; raises NotFoundError for any other."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.find_rule(conn, processing_rule_id=rule)
    if row is None:
        raise NotFoundError(NO_RULE)
    return _view(row)


async def listed(pool: Pool, tenant: Tenant, page: Page) -> ProcessingRules:
    """A page of the rules that are seen, in order of name."""
    async with transaction(pool, tenant) as conn:
        rows = _queries.rules_by_name(
            conn,
            after_value=page.after_value or "",
            after_id=page.after_id or UUID(int=0),
            count=page.limit + 1,
        )
        found = [_view(row) async for row in rows]
    shown, following = cut(found, page, lambda one: (one.name, one.processing_rule_id))
    return ProcessingRules(processing_rules=shown, next_cursor=following)


_CHANGEABLE = ("name", "settings", "inputs", "device_type", "output_name", "is_active")


async def _own_rules(conn: Connection, organization: UUID) -> dict[UUID, Any]:
    """All rules of an organization, which nobody else changes until the transaction ends."""
    await _queries.lock_rules(conn, organization_id=organization)
    rows = _queries.own_rules(conn, organization_id=organization)
    return {row["processing_rule_id"]: row async for row in rows}


def _found(rows: Mapping[UUID, Any], rule: UUID) -> Any:
    if rule not in rows:
        raise NotFoundError(NO_RULE)
    return rows[rule]


def _drafts(rows: Mapping[UUID, Any]) -> dict[UUID, Draft]:
    return {
        one: Draft(
            one, row["name"], row["kind"], row["settings"], row["inputs"], row["device_type"]
        )
        for one, row in rows.items()
    }


def _plain(inputs: Any) -> list[dict[str, Any]]:
    """Inputs as they are stored: what is not given is not there."""
    found: list[dict[str, Any]] = msgspec.to_builtins(inputs)
    return [{name: value for name, value in one.items() if value is not None} for one in found]


def _taken(name: str) -> ConflictError:
    said = f'name: there is a processing rule "{name}" already'
    return ConflictError(said, code="name_taken")


def _view(row: Any) -> ProcessingRule:
    return ProcessingRule(
        revision=row["revision"],
        organization_id=row["organization_id"],
        processing_rule_id=row["processing_rule_id"],
        name=row["name"],
        kind=row["kind"],
        settings=row["settings"],
        inputs=tuple(row["inputs"]),
        device_type=row["device_type"],
        output_name=row["output_name"],
        output_units=tuple(row["output_units"]),
        is_active=row["is_active"],
        created_us=to_us(row["created_at"]),
    )
