"""Rules of groups and steps of a fleet to draw, and what a rule means written a second time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import IllegalMoveError
from fleetplatform.registry import device_groups, devices, life_cycle
from fleetplatform.wire.resources.device_groups import DeviceGroupChange, NewDeviceGroup
from fleetplatform.wire.resources.devices import DeviceChange, NewDevice, NewStatus

from .conftest import CONTACT, Registry

PLACE = "select iot.place_device($1, $2, $3, $4, null, null)"
TAGS = ("a", "b", "c")
FIRMWARE = ("1.0", "1.0.0", "1.2", "2.0.1", "10.0", "2.0-rc1")
STATUSES = ("provisioning", "active", "maintenance", "suspended", "decommissioned")
PREFIXES = ("x", "x1", "y", "%", "x_")


def words(choice: tuple[str, ...]) -> st.SearchStrategy[Any]:
    one = st.sampled_from(choice)
    return one | st.lists(one, min_size=1, max_size=2)


VERSIONS = st.sampled_from([one for one in FIRMWARE if "-" not in one])
FIRMWARE_RULES = words(FIRMWARE) | st.dictionaries(
    st.sampled_from(["below", "at_least"]), VERSIONS, min_size=1
)
CONDITIONS = {
    "type": words(("thermometer", "gateway", "teapot")),
    "tags": words(TAGS),
    "status": words(STATUSES),
    "firmware": FIRMWARE_RULES,
    "hardware_revision": words(("1.0", "1.1")),
    "serial_prefix": st.sampled_from(PREFIXES),
    "place": st.sampled_from(
        [
            {"circle": {"latitude": 0, "longitude": 0, "radius_m": 150_000}},
            {"box": {"south": -1, "west": 0, "north": 0, "east": 2}},
        ]
    ),
}
SPOTS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (-1.0, 2.0))
IN_CIRCLE, IN_BOX = {SPOTS[0], SPOTS[1], SPOTS[2]}, {SPOTS[0], SPOTS[1], SPOTS[4]}
LEAVES = st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=2, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: CONDITIONS[key] for key in keys})
)
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=5,
)
TAG_SETS = st.lists(st.sampled_from(TAGS), max_size=3).map(tuple)
FIRMWARE_OR_NONE = st.none() | st.sampled_from(FIRMWARE)
NEW = st.tuples(st.sampled_from(["x", "x1", "y%"]), TAG_SETS, FIRMWARE_OR_NONE, st.booleans())
STEPS = st.one_of(
    st.tuples(st.just("enrol"), st.lists(NEW, min_size=1, max_size=3)),
    st.tuples(st.just("tags"), st.integers(0, 9), TAG_SETS),
    st.tuples(st.just("firmware"), st.integers(0, 9), FIRMWARE_OR_NONE),
    st.tuples(st.just("move"), st.integers(0, 9), st.sampled_from(STATUSES)),
    st.tuples(st.just("place"), st.integers(0, 9), st.sampled_from(SPOTS)),
    st.tuples(st.just("group"), RULES),
    st.tuples(st.just("rule"), st.integers(0, 9), RULES),
)


def _version(text: str | None) -> list[int] | None:
    try:
        parts = [int(one) for one in (text or "").split(".")]
    except ValueError:
        return None
    return parts + [0] * (5 - len(parts))


def _firmware_matches(said: Any, has: str | None) -> bool:
    if not isinstance(said, dict):
        return has in ([said] if isinstance(said, str) else said)
    version = _version(has)
    if version is None:
        return False
    bounds = {bound: _version(text) or [] for bound, text in said.items()}
    return bounds.get("at_least", []) <= version and (
        "below" not in bounds or version < bounds["below"]
    )


def matches(rule: dict[str, Any], device: Any) -> bool:
    """Whether a row of iot.devices with its type's name matches a rule."""

    def holds(key: str, said: Any) -> bool:
        listed = [said] if isinstance(said, str) else said
        match key:
            case "all":
                return all(matches(one, device) for one in said)
            case "any":
                return any(matches(one, device) for one in said)
            case "not":
                return not matches(said, device)
            case "tags":
                return set(listed) <= set(device["tags"])
            case "firmware":
                return _firmware_matches(said, device["firmware_version"])
            case "place":
                spot = (device["latitude"], device["longitude"])
                return spot in (IN_CIRCLE if "circle" in said else IN_BOX)
            case "serial_prefix":
                return bool(device["serial_number"].startswith(said))
        column = {"type": "name", "status": "device_status"}.get(key, key)
        return device[column] in listed

    return all(holds(key, said) for key, said in rule.items())


async def check_all(registry: Registry, tenant: Tenant, rules: dict[UUID, Any]) -> None:
    """Every group of an organization has the devices that Python says."""
    rows = await registry.owner.fetch(
        "select d.*, t.name, p.latitude, p.longitude"
        " from iot.devices as d join iot.device_types as t using (device_type_id)"
        " left join iot.device_places as p using (device_id) where d.organization_id = $1",
        tenant.organization,
    )
    for group, rule in rules.items():
        expected = {row["device_id"] for row in rows if matches(rule, row)}
        assert await registry.members(group) == expected, rule


class Fleet:
    """An organization that the steps change: its devices in order, its groups with their rules."""

    def __init__(self, registry: Registry, tenant: Tenant) -> None:
        self.registry, self.tenant = registry, tenant
        self.time = datetime(2026, 5, 5, tzinfo=UTC)
        self.devices: list[UUID] = []
        self.rules: dict[UUID, Any] = {}

    async def step(self, kind: str, *said: Any) -> None:
        if kind in ("enrol", "group"):
            await getattr(self, kind)(*said)
        elif kind == "rule" and self.rules:
            await self.rule(list(self.rules)[said[0] % len(self.rules)], said[1])
        elif kind in ("tags", "firmware", "move", "place") and self.devices:
            await getattr(self, kind)(self.devices[said[0] % len(self.devices)], said[1])

    async def enrol(self, new: list[Any]) -> None:
        made = await self.registry.enrol(
            self.tenant,
            *(
                NewDevice(
                    serial_number=f"{prefix}-{len(self.devices) + at}",
                    device_type="gateway" if is_gateway else "thermometer",
                    tags=tags,
                    firmware_version=firmware,
                )
                for at, (prefix, tags, firmware, is_gateway) in enumerate(new)
            ),
        )
        self.devices += made.values()

    async def tags(self, device: UUID, tags: tuple[str, ...]) -> None:
        await self._change(device, DeviceChange(tags=tags))

    async def firmware(self, device: UUID, version: str | None) -> None:
        await self._change(device, DeviceChange(firmware_version=version))

    async def _change(self, device: UUID, change: DeviceChange) -> None:
        await devices.change(self.registry.pool, self.tenant, device, change, None, CONTACT)

    async def move(self, device: UUID, status: Any) -> None:
        new = NewStatus(status=status, reason="a step")
        try:
            await life_cycle.move(self.registry.pool, self.tenant, device, new, CONTACT)
        except IllegalMoveError:
            return

    async def place(self, device: UUID, spot: tuple[float, float]) -> None:
        self.time += timedelta(seconds=1)
        async with transaction(self.registry.pool, self.tenant) as conn:
            await conn.execute(PLACE, device, self.time, *spot)

    async def group(self, rule: Any) -> UUID:
        new = NewDeviceGroup(name=f"g{len(self.rules)}", kind="dynamic", rule=rule)
        made = await device_groups.create(self.registry.pool, self.tenant, new)
        self.rules[made.group_id] = rule
        return made.group_id

    async def rule(self, group: UUID, rule: Any) -> None:
        change = DeviceGroupChange(rule=rule)
        await device_groups.change(self.registry.pool, self.tenant, group, change, None)
        self.rules[group] = rule


