"""The whole registry as arrays by index, for every question on the way of a reading.

An index, once given, stays with its device or sensor for the life of the process. A refresh makes
new arrays and puts them all in place at once, between two steps of the event loop: whoever holds
an array keeps what it held, and indexes taken before a refresh are valid after it.
"""

import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.pool import Pool
from fleetplatform.registry import changes
from fleetplatform.registry.calibrations import NEVER_US, Calibrations, Entered
from fleetplatform.registry.identifiers import Halves, IdIndex, halves_of
from fleetplatform.registry.names import SensorNames, Words

DAY_US = 86_400_000_000
_DIGEST_KEY = 16
_HALF = (1 << 64) - 1
_NO_TOKEN = (b"", -1, 0)


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert rule; `organization` is an index of the directory, a null scope means any."""

    rule_id: UUID
    organization: int
    device_type: str | None
    sensor_type: int | None
    sensor_id: UUID | None
    conditions: dict[str, Any]
    severity: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class ProcessingRule:
    """One active processing rule; `organization` is an index of the directory."""

    processing_rule_id: UUID
    organization: int
    kind: str
    settings: dict[str, Any]
    inputs: list[dict[str, Any]]
    device_type: str | None


class Directory:
    """Everything that is registered; `refresh` brings what is new since the last time.

    Devices: device_high, device_low (halves of the id), device_organization, device_type,
    device_gateway (-1: none), device_active. Sensors: sensor_high, sensor_low, sensor_device,
    sensor_type, sensor_active, sensor_sensitive, sensor_name and sensor_unit (both positions in
    `words`), value_min, value_max, interval_us (between two readings), rate_max (a second;
    infinite: not judged), flat_after_us (the greatest number: not judged); `calibrations` are those
    of all of them. Organizations: organization_rate (readings a second that their devices may send)
    and organization_oldest_us (how old readings may be), both infinite without a quota. `version`
    grows with every change, `scope_version` with those that rules may speak of other sensors after.
    """

    def __init__(self) -> None:
        self.version = 0
        self.scope_version = 0
        self._seen = 0
        self.alert_rules: tuple[AlertRule, ...] = ()
        self.processing_rules: tuple[ProcessingRule, ...] = ()
        self.words = Words()
        self.device_type_names: list[str] = []
        self._device_types: dict[UUID, int] = {}
        self.organizations: list[UUID] = []
        self._organizations = IdIndex.empty()
        self.organization_rate = np.zeros(0)
        self.organization_oldest_us = np.zeros(0)
        self._devices = IdIndex.empty()
        self.device_organization = np.zeros(0, dtype=np.int32)
        self.device_type = np.zeros(0, dtype=np.int32)
        self.device_gateway = np.zeros(0, dtype=np.int32)
        self.device_active = np.zeros(0, dtype=np.bool_)
        self._sensors = IdIndex.empty()
        self._names = SensorNames()
        self.sensor_device = np.zeros(0, dtype=np.int32)
        self.sensor_type = np.zeros(0, dtype=np.int16)
        self.sensor_active = np.zeros(0, dtype=np.bool_)
        self.sensor_sensitive = np.zeros(0, dtype=np.bool_)
        self.sensor_name = np.zeros(0, dtype=np.int32)
        self.sensor_unit = np.zeros(0, dtype=np.int32)
        self.value_min = np.zeros(0)
        self.value_max = np.zeros(0)
        self.interval_us = np.zeros(0, dtype=np.int64)
        self.rate_max = np.zeros(0)
        self.flat_after_us = np.zeros(0, dtype=np.int64)
        self.calibrations = Calibrations.empty()
        self._tokens: dict[bytes, tuple[bytes, int, int]] = {}

    @property
    def sensor_count(self) -> int:
        """How many sensors have an index."""
        return len(self._sensors)

    @property
    def device_count(self) -> int:
        """How many devices have an index."""
        return len(self._devices)

    @property
    def organization_high(self) -> Halves:
        """High halves of the organizations' ids."""
        return self._organizations.high

    @property
    def organization_low(self) -> Halves:
        """Low halves of the organizations' ids."""
        return self._organizations.low

    @property
    def device_high(self) -> Halves:
        """High halves of the devices' ids."""
        return self._devices.high

    @property
    def device_low(self) -> Halves:
        """Low halves of the devices' ids."""
        return self._devices.low

    @property
    def sensor_high(self) -> Halves:
        """High halves of the sensors' ids."""
        return self._sensors.high

    @property
    def sensor_low(self) -> Halves:
        """Low halves of the sensors' ids."""
        return self._sensors.low

    def find_sensors(self, high: Halves, low: Halves) -> NDArray[np.int32]:
        """The index of each of n sensor ids; -1 unknown."""
        return self._sensors.find(high, low)

    def find_by_name(self, device: int, sensors: Sequence[str]) -> list[int]:
        """The index of each sensor that a device names, by name or by id; -1 unknown."""
        found = self._names.find(device, sensors)
        if -1 in found:
            at = [i for i, index in enumerate(found) if index < 0]
            for i, index in zip(at, self._find_texts([sensors[i] for i in at]), strict=True):
                found[i] = index
        return found

    def _find_texts(self, texts: list[str]) -> list[int]:
        ids = [_uuid_of(text) for text in texts]
        high, low = halves_of(ids)
        found: list[int] = self.find_sensors(high, low).tolist()
        return found

    def find_token(self, sha256: bytes) -> int:
        """The device that a token's digest belongs to; -1 for one that is not known or over."""
        digest, device, good_until_us = self._tokens.get(sha256[:_DIGEST_KEY], _NO_TOKEN)
        if good_until_us != NEVER_US and good_until_us <= time.time_ns() // 1_000:
            return -1
        return device if hmac.compare_digest(digest, sha256) else -1

    async def refresh(self, pool: Pool) -> bool:
        """Take in what changed since the last refresh; whether there was anything."""
        found = await changes.read(pool, self._seen)
        if found is None or found.revision <= self._seen:
            return False
        self._apply(found)
        return True

    def _apply(self, found: changes.Changes) -> None:
        """Put everything that changed in place; nothing else runs meanwhile."""
        for type_id, name in found.device_types:
            if type_id not in self._device_types:
                self._device_types[type_id] = len(self.device_type_names)
                self.device_type_names = [*self.device_type_names, name]
        self._add_organizations(found)
        self._apply_quotas(found.quotas)
        self._apply_devices(found.devices)
        self._apply_sensors(found.sensors)
        self._apply_calibrations(found.calibrations)
        self._apply_credentials(found.credentials)
        self._apply_rules(found.alert_rules)
        self._apply_processing_rules(found.processing_rules)
        self._seen = found.revision
        self.version += 1
        if (found.device_types or found.processing_rules
                or len(found.devices.high) or len(found.sensors.high)):
            self.scope_version += 1

    def _add_organizations(self, found: changes.Changes) -> None:
        rows = [*found.alert_rules, *found.quotas, *found.processing_rules]
        row_high, row_low = halves_of([row["organization_id"] for row in rows])
        high = np.concatenate([found.devices.organization_high, row_high])
        low = np.concatenate([found.devices.organization_low, row_low])
        fresh = self._organizations.new_among(high, low)
        self._organizations = self._organizations.extended(high[fresh], low[fresh])
        ids = zip(high[fresh].tolist(), low[fresh].tolist(), strict=True)
        self.organizations = [*self.organizations, *(UUID(int=h << 64 | n) for h, n in ids)]

    def _apply_quotas(self, rows: list[Any]) -> None:
        at = self._organizations.find(*halves_of([row["organization_id"] for row in rows]))
        count = len(self.organizations)
        self.organization_rate = _put_limits(
            self.organization_rate, count, at, [row["readings_per_s"] for row in rows]
        )
        days = [row["storage_days"] for row in rows]
        self.organization_oldest_us = _put_limits(
            self.organization_oldest_us, count, at, [one and one * DAY_US for one in days]
        )

    def _apply_devices(self, found: changes.Devices) -> None:
        fresh = np.flatnonzero(self._devices.find(found.high, found.low) < 0)
        self._devices = self._devices.extended(found.high[fresh], found.low[fresh])
        at = self._devices.find(found.high, found.low)
        organization = self._organizations.find(found.organization_high, found.organization_low)
        types = np.array([self._device_types[one] for one in found.type_ids], dtype=np.int32)
        gateway = self._devices.find(found.gateway_high, found.gateway_low)
        count = self.device_count
        self.device_organization = _put(self.device_organization, count, at, organization)
        self.device_type = _put(self.device_type, count, at, types[found.type_at])
        self.device_gateway = _put(self.device_gateway, count, at, gateway)
        self.device_active = _put(self.device_active, count, at, found.active)

    def _apply_sensors(self, found: changes.Sensors) -> None:
        fresh = np.flatnonzero(self._sensors.find(found.high, found.low) < 0)
        self._sensors = self._sensors.extended(found.high[fresh], found.low[fresh])
        at = self._sensors.find(found.high, found.low)
        device = self._devices.find(found.device_high, found.device_low)
        count = self.sensor_count
        self.sensor_device = _put(self.sensor_device, count, at, device)
        self.sensor_type = _put(self.sensor_type, count, at, found.sensor_type)
        self.sensor_active = _put(self.sensor_active, count, at, found.active)
        self.sensor_sensitive = _put(self.sensor_sensitive, count, at, found.sensitive)
        self.sensor_name = _put(self.sensor_name, count, at, self.words.codes(found.names))
        self.sensor_unit = _put(self.sensor_unit, count, at, self.words.codes(found.units))
        self.value_min = _put(self.value_min, count, at, found.value_min)
        self.value_max = _put(self.value_max, count, at, found.value_max)
        self.interval_us = _put(self.interval_us, count, at, found.interval_us)
        self.rate_max = _put(self.rate_max, count, at, found.rate_max)
        self.flat_after_us = _put(self.flat_after_us, count, at, found.flat_after_us)
        self._names.add(self.device_count, device.tolist(), at.tolist(), found.names)

    def _apply_calibrations(self, found: changes.NewCalibrations) -> None:
        entered = Entered(
            sensor=self.find_sensors(found.sensor_high, found.sensor_low),
            from_us=found.from_us,
            due_us=found.due_us,
            multiplier=found.multiplier,
            offset=found.offset,
            higher=found.higher,
        )
        self.calibrations = self.calibrations.extended(self.sensor_count, entered)

    def _apply_credentials(self, found: changes.Credentials) -> None:
        devices = self._devices.find(found.device_high, found.device_low).tolist()
        now_us = time.time_ns() // 1_000
        for digest, device, good_until_us in zip(
            found.digests, devices, found.good_until_us.tolist(), strict=True
        ):
            if good_until_us <= now_us:
                self._tokens.pop(digest[:_DIGEST_KEY], None)
            else:
                self._tokens[digest[:_DIGEST_KEY]] = (digest, device, good_until_us)

    def _apply_rules(self, rows: list[Any]) -> None:
        if not rows:
            return
        rules = {rule.rule_id: rule for rule in self.alert_rules}
        high, low = halves_of([row["organization_id"] for row in rows])
        organizations = self._organizations.find(high, low).tolist()
        for row, organization in zip(rows, organizations, strict=True):
            rules[row["rule_id"]] = AlertRule(
                rule_id=row["rule_id"],
                organization=organization,
                device_type=row["device_type"],
                sensor_type=row["sensor_type"],
                sensor_id=row["sensor_id"],
                conditions=row["conditions"],
                severity=row["severity"],
                is_active=row["is_active"],
            )
        # In order of id, as the engines agree to touch alert rows.
        self.alert_rules = tuple(rules[key] for key in sorted(rules))

    def _apply_processing_rules(self, rows: list[Any]) -> None:
        if not rows:
            return
        rules = {rule.processing_rule_id: rule for rule in self.processing_rules}
        at = self._organizations.find(*halves_of([row["organization_id"] for row in rows]))
        for row, organization in zip(rows, at.tolist(), strict=True):
            rules.pop(row["processing_rule_id"], None)
            if row["is_active"]:
                rules[row["processing_rule_id"]] = ProcessingRule(
                    processing_rule_id=row["processing_rule_id"],
                    organization=organization,
                    kind=row["kind"],
                    settings=row["settings"],
                    inputs=row["inputs"],
                    device_type=row["device_type"],
                )
        self.processing_rules = tuple(rules[key] for key in sorted(rules))


def _put(column: Any, count: int, at: NDArray[np.int32], values: Any) -> Any:
    """A copy of a column, grown to `count`, with values in some places; the old one stays."""
    grown = np.zeros(count, dtype=column.dtype)
    grown[: len(column)] = column
    grown[at] = values
    return grown


def _put_limits(
    column: NDArray[np.float64], count: int, at: NDArray[np.int32], limits: list[float | None]
) -> NDArray[np.float64]:
    """A copy of a column of limits, grown to `count`, with some set anew; None is infinite."""
    grown = np.full(count, np.inf)
    grown[: len(column)] = column
    grown[at] = [np.inf if one is None else one for one in limits]
    return grown


def _uuid_of(text: str) -> UUID:
    """The id that a text spells; the nil UUID, which no sensor has, for any other text."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
