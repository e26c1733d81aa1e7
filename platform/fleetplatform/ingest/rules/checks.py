"""Rules are checked when they are saved, so that none can fail on a reading."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import InvalidError
from fleetplatform.ingest.rules.plans import inputs_of
from fleetplatform.processing import rules
from fleetplatform.wire.device_type import SensorType

CHAIN_MAX = 8
"""So many rules one behind another."""
UNITS_MAX = 64
"""So many combinations of units are tried."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as it is, or as it shall be."""

    processing_rule_id: UUID
    name: str
    kind: str
    settings: dict[str, Any]
    inputs: list[dict[str, Any]]
    device_type: str | None


async def check(
    conn: Connection, organization: UUID, drafts: Mapping[UUID, Draft], changed: UUID
) -> dict[UUID, tuple[str, ...]]:
    """Whether a rule can be among the others; the units of it and of those that depend on it.

    Raises InvalidError (invalid_processing_rule, unknown_input, rule_cycle, unit_mismatch).
    """
    rule = drafts[changed]
    _parse(rule)
    await _check_scope(conn, organization, rule)
    for one in inputs_of(rule.inputs):
        if one not in drafts:
            raise _unknown("the organization has no such processing rule")
    units: dict[UUID, tuple[str, ...]] = {}
    for one in _in_order(drafts, changed):
        units[one] = await _units(conn, organization, drafts[one], units)
    after = _closure(changed, _followers(drafts))
    return {one: units[one] for one in after}


def _parse(rule: Draft) -> rules.Settings:
    try:
        settings = rules.parse(rule.kind, rule.settings)
    except ValueError as error:
        raise InvalidError(str(error), code="invalid_processing_rule") from None
    wanted, found = settings.input_count, len(rule.inputs)
    if wanted != found:
        raise InvalidError(
            f"inputs: a rule of kind {rule.kind} takes {wanted}, not {found}",
            code="invalid_processing_rule",
        )
    return settings


async def _check_scope(conn: Connection, organization: UUID, rule: Draft) -> None:
    if rule.device_type is not None and not await _queries.has_device_type(
        conn, name=rule.device_type
    ):
        raise _unknown(f"device_type: there is no device type {rule.device_type!r}")
    for given in rule.inputs:
        if "processing_rule_id" in given and len(given) > 1:
            raise _unknown("an input is a rule, or sensors, not both")
        if "sensor_type" in given:
            _type_code(given["sensor_type"])
        if "sensor_id" in given:
            row = await _queries.own_sensor(
                conn, organization_id=organization, sensor_id=UUID(given["sensor_id"])
            )
            if row is None:
                raise _unknown("the organization has no such sensor")
            if row["sensitive"]:
                raise _unknown("nothing is made of a sensitive sensor's readings")


def _type_code(label: str) -> int:
    try:
        return int(SensorType.of(label))
    except KeyError:
        known = ", ".join(one.label for one in SensorType)
        raise _unknown(f"sensor_type: {label!r} is not one of {known}") from None


def _unknown(said: str) -> InvalidError:
    return InvalidError(f"inputs: {said}", code="unknown_input")


def _followers(drafts: Mapping[UUID, Draft]) -> dict[UUID, list[UUID]]:
    """For each rule those that take what it makes."""
    found: dict[UUID, list[UUID]] = {}
    for one, rule in drafts.items():
        for source in inputs_of(rule.inputs):
            found.setdefault(source, []).append(one)
    return found


def _closure(start: UUID, following: Mapping[UUID, Iterable[UUID]]) -> list[UUID]:
    """A rule and all that can be reached from it."""
    found, left = {start: None}, [start]
    while left:
        for one in following.get(left.pop(), ()):
            if one not in found:
                found[one] = None
                left.append(one)
    return list(found)


def _in_order(drafts: Mapping[UUID, Draft], changed: UUID) -> list[UUID]:
    """The rule with what depends on it and all that these take, sources first."""
    sources = {
        one: [source for source in inputs_of(rule.inputs) if source in drafts]
        for one, rule in drafts.items()
    }
    before = _closure(changed, sources)
    if any(changed in sources[one] for one in before):
        names = ", ".join(sorted(drafts[one].name for one in before))
        raise InvalidError(
            f"inputs: the rule would take what it makes itself, among {names}", code="rule_cycle"
        )
    wanted = dict.fromkeys(
        source
        for one in _closure(changed, _followers(drafts))
        for source in _closure(one, sources)
    )
    order: list[UUID] = []
    depth: dict[UUID, int] = {}
    left = list(wanted)
    while left:
        ready = [one for one in left if all(source in depth for source in sources[one])]
        for one in ready:
            depth[one] = 1 + max((depth[source] for source in sources[one]), default=0)
        left = [one for one in left if one not in depth]
        order += ready
    if max(depth.values()) > CHAIN_MAX:
        raise InvalidError(
            f"inputs: that makes more than {CHAIN_MAX} rules one behind another",
            code="invalid_processing_rule",
        )
    return order


async def _units(
    conn: Connection, organization: UUID, rule: Draft, known: Mapping[UUID, tuple[str, ...]]
) -> tuple[str, ...]:
    """The units of what a rule makes, in all combinations of what its inputs come in.

    Of sensors that there are none of yet nothing is known: they will be left out if they do not
    fit. Raises InvalidError (unit_mismatch) for the first combination that does not fit.
    """
    settings = _parse(rule)
    given = []
    for one in rule.inputs:
        if "processing_rule_id" in one:
            given.append(known[UUID(one["processing_rule_id"])])
            continue
        label = one.get("sensor_type")
        found = _queries.scope_units(
            conn,
            organization_id=organization,
            device_type=rule.device_type,
            sensor_type=None if label is None else _type_code(label),
            label=label,
            sensor_name=one.get("sensor"),
            sensor_id=UUID(one["sensor_id"]) if "sensor_id" in one else None,
        )
        given.append(tuple(sorted([row["unit"] async for row in found])))
    made = set()
    for combination in itertools.islice(itertools.product(*given), UNITS_MAX):
        try:
            made.add(settings.fit(combination).unit)
        except ValueError as error:
            raise InvalidError(f"{rule.name}: {error}", code="unit_mismatch") from None
    if not made and settings.own_unit is not None:
        return (settings.own_unit,)
    return tuple(sorted(made))
