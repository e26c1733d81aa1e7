"""A typed client of the management API, for drivers and scripts."""

import asyncio
import http.client
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

import msgspec

from fleetplatform.errors import ApiError
from fleetplatform.wire.clock import ClockLaw
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.paging import LIMIT_MAX
from fleetplatform.wire.problems import Problem
from fleetplatform.wire.resources.alerts import AlertRule, Alerts, NewAlertRule
from fleetplatform.wire.resources.audit import AuditEntries
from fleetplatform.wire.resources.clock import Clock
from fleetplatform.wire.resources.device_groups import (
    AddedMembers,
    DeviceGroup,
    DeviceGroupChange,
    GroupKind,
    NewDeviceGroup,
    NewMembers,
)
from fleetplatform.wire.resources.device_types import DeviceType, DeviceTypes
from fleetplatform.wire.resources.devices import (
    Device,
    DeviceChange,
    Devices,
    DeviceStatus,
    EnrolledDevices,
    NewDevices,
    NewStatus,
)
from fleetplatform.wire.resources.organizations import FoundedOrganization, NewOrganization
from fleetplatform.wire.resources.processing_rules import NewProcessingRule, ProcessingRule
from fleetplatform.wire.resources.quality import (
    DeviceQuality,
    Flag,
    FlaggedReadings,
    SensorQuality,
)
from fleetplatform.wire.resources.quotas import NewQuotas, Quotas, Usage
from fleetplatform.wire.resources.retention import NewRetentionPolicy, RetentionPolicy

__all__ = ["ApiError", "Client"]

TIMEOUT_S = 120.0

PAGE_MAX = 1_000

_T = TypeVar("_T")
_P = TypeVar("_P", DeviceTypes, AuditEntries, Alerts)


class Client:
    """Speaks with one token; every method raises ApiError. A connection is opened a request.

    Made → used as `async with Client(url, token) as client`.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._parts = urlsplit(self.url)
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise ApiError(0, "bad_url", f"cannot speak to {url!r}: write http://host:port")

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open between two requests."""

    async def create_organization(self, name: str) -> FoundedOrganization:
        """A new tenant with its first API key; with the operator's token."""
        body = NewOrganization(name=name)
        return await self._send("POST", "/v1/organizations", body, FoundedOrganization)

    async def put_quotas(self, organization_id: UUID, new: NewQuotas) -> Quotas:
        """Set all quotas of an organization; with the operator's token, or from above it."""
        return await self._send("PUT", f"/v1/organizations/{organization_id}/quotas", new, Quotas)

    async def quotas(self, organization_id: UUID) -> Quotas:
        """What an organization may have at most."""
        return await self._send("GET", f"/v1/organizations/{organization_id}/quotas", None, Quotas)

    async def usage(self, organization_id: UUID) -> Usage:
        """Each quota of an organization and how much of it is used."""
        return await self._send("GET", f"/v1/organizations/{organization_id}/usage", None, Usage)

    async def put_device_type(self, specification: DeviceTypeSpecification) -> DeviceType:
        """Store a device type; with the operator's token."""
        path = f"/v1/device-types/{quote(specification.name, safe='')}"
        return await self._send("PUT", path, specification, DeviceType)

    async def device_types(self) -> DeviceTypes:
        """Every device type as it was put last."""
        pages = await self._pages("/v1/device-types", {}, DeviceTypes)
        return DeviceTypes(device_types=tuple(one for page in pages for one in page.device_types))

    async def device_type(self, name: str, version: str | None = None) -> DeviceType:
        """One version of a device type; the one that was put last by default."""
        query = "" if version is None else f"?{urlencode({'version': version})}"
        path = f"/v1/device-types/{quote(name, safe='')}{query}"
        return await self._send("GET", path, None, DeviceType)

    async def enrol(self, new: NewDevices) -> EnrolledDevices:
        """Enrol devices, all or none; with an organization's API key."""
        return await self._send("POST", "/v1/devices/bulk", new, EnrolledDevices)

    async def find_device(self, serial_number: str) -> Device | None:
        """The organization's device with a serial number."""
        query = urlencode({"serial": serial_number})
        found = await self._send("GET", f"/v1/devices?{query}", None, Devices)
        return found.devices[0] if found.devices else None

    async def device(self, device_id: UUID) -> Device:
        """One device of the organization."""
        return await self._send("GET", f"/v1/devices/{device_id}", None, Device)

    async def sensor_quality(
        self, sensor_id: UUID, since_us: int, until_us: int
    ) -> SensorQuality:
        """The score of each hour of a span of 31 days at most, and how often each flag was set."""
        query = urlencode({"since_us": since_us, "until_us": until_us})
        path = f"/v1/sensors/{sensor_id}/quality?{query}"
        return await self._send("GET", path, None, SensorQuality)

    async def device_quality(
        self, device_id: UUID, since_us: int, until_us: int
    ) -> DeviceQuality:
        """The same for each sensor of a device, over the span."""
        query = urlencode({"since_us": since_us, "until_us": until_us})
        path = f"/v1/devices/{device_id}/quality?{query}"
        return await self._send("GET", path, None, DeviceQuality)

    async def flagged_readings(
        self, sensor_id: UUID, since_us: int, until_us: int, flag: Flag | None = None
    ) -> FlaggedReadings:
        """The first readings of a span that have a flag, or any."""
        span: dict[str, int | str] = {"since_us": since_us, "until_us": until_us}
        query = urlencode(span if flag is None else span | {"flag": flag})
        path = f"/v1/sensors/{sensor_id}/flagged-readings?{query}"
        return await self._send("GET", path, None, FlaggedReadings)

    async def move_device(self, device_id: UUID, status: DeviceStatus, reason: str) -> Device:
        """Move a device on in its life; code illegal_move where its life has no such move."""
        body = NewStatus(status=status, reason=reason)
        return await self._send("POST", f"/v1/devices/{device_id}/status", body, Device)

    async def change_device(self, device_id: UUID, change: DeviceChange) -> Device:
        """Change tags, firmware or gateway of a device; what is not given stays."""
        return await self._send("PATCH", f"/v1/devices/{device_id}", change, Device)

    async def create_device_group(
        self, name: str, kind: GroupKind, rule: dict[str, Any] | None = None
    ) -> DeviceGroup:
        """Make a group of devices, static without a rule, dynamic with one."""
        body = NewDeviceGroup(name=name, kind=kind, rule=rule)
        return await self._send("POST", "/v1/device-groups", body, DeviceGroup)

    async def change_device_group(self, group_id: UUID, change: DeviceGroupChange) -> DeviceGroup:
        """Give a group another name or rule; what is not given stays."""
        return await self._send("PATCH", f"/v1/device-groups/{group_id}", change, DeviceGroup)

    async def add_members(self, group_id: UUID, device_ids: Iterable[UUID]) -> AddedMembers:
        """Put devices into a static group, all of them or none."""
        body = NewMembers(device_ids=tuple(device_ids))
        return await self._send("POST", f"/v1/device-groups/{group_id}/members", body, AddedMembers)

    async def group_devices(self, group_id: UUID, cursor: str | None = None) -> Devices:
        """A page of the devices in a group."""
        asked = {"limit": LIMIT_MAX} | ({} if cursor is None else {"cursor": cursor})
        path = f"/v1/device-groups/{group_id}/devices?{urlencode(asked)}"
        return await self._send("GET", path, None, Devices)

    async def audit(
        self, subject: UUID | None = None, *, limit: int | None = None, **wanted: object
    ) -> AuditEntries:
        """What was done to one thing of the organization, newest first, or to all it has.

        limit: entries at most; all without · wanted: filters of GET /v1/audit, such as action.
        """
        pages = await self._pages("/v1/audit", {"subject": subject, **wanted}, AuditEntries, limit)
        return AuditEntries(entries=tuple(one for page in pages for one in page.entries)[:limit])

    async def create_alert_rule(self, new: NewAlertRule) -> AlertRule:
        """Save an alert rule; with an organization's API key."""
        return await self._send("POST", "/v1/alert-rules", new, AlertRule)

    async def create_processing_rule(self, new: NewProcessingRule) -> ProcessingRule:
        """Save a processing rule; with an organization's API key."""
        return await self._send("POST", "/v1/processing-rules", new, ProcessingRule)

    async def create_retention_policy(self, new: NewRetentionPolicy) -> RetentionPolicy:
        """Say how long some readings stay; with an administrator's API key."""
        return await self._send("POST", "/v1/retention-policies", new, RetentionPolicy)

    async def alerts(self, *, status: str | None = None, limit: int | None = None) -> Alerts:
        """The newest alerts of the organization, all or those with a status."""
        pages = await self._pages("/v1/alerts", {"status": status}, Alerts, limit)
        return Alerts(alerts=tuple(one for page in pages for one in page.alerts)[:limit])

    async def clock(self) -> Clock:
        """The law of virtual time."""
        return await self._send("GET", "/v1/clock", None, Clock)

    async def set_clock(self, law: ClockLaw) -> Clock:
        """Change the law of virtual time; with the operator's token."""
        return await self._send("PUT", "/v1/clock", Clock(law=law), Clock)

    async def _pages(
        self, path: str, wanted: Mapping[str, object], kind: type[_P], limit: int | None = None
    ) -> list[_P]:
        """The pages of a list from its start; with a limit as many as it takes to hold it."""
        size = PAGE_MAX if limit is None else max(1, min(limit, PAGE_MAX))
        asked = {k: v for k, v in wanted.items() if v is not None} | {"limit": size}
        pages: list[_P] = []
        while limit is None or len(pages) * size < limit:
            pages.append(await self._send("GET", f"{path}?{urlencode(asked)}", None, kind))
            if pages[-1].next_cursor is None:
                break
            asked["cursor"] = pages[-1].next_cursor
        return pages

    async def _send(self, method: str, path: str, body: Any, kind: type[_T]) -> _T:
        content = b"" if body is None else msgspec.json.encode(body)
        status, answer = await asyncio.to_thread(self._exchange, method, path, content)
        if status >= 400:
            raise self._problem(status, answer, f"{method} {path.partition('?')[0]}")
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.MsgspecError as error:
            message = f"{self.url} does not answer as a platform does: {error}"
            raise ApiError(status, "bad_answer", message) from None

    def _exchange(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        """One request on a connection of its own; runs in a thread."""
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        connection = kinds[self._parts.scheme](
            self._parts.hostname or "", self._parts.port, timeout=self._timeout_s
        )
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, self._parts.path + path, content, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            message = f"the platform at {self.url} does not answer: {reason}"
            raise ApiError(0, "no_answer", message) from error
        finally:
            connection.close()

    def _problem(self, status: int, answer: bytes, what: str) -> ApiError:
        """The problem document as an error; a platform sends nothing else."""
        try:
            problem = msgspec.json.decode(answer, type=Problem)
        except msgspec.MsgspecError:
            message = f"{self.url} is no Fleetstorm platform: it answered {what} with {status}"
            return ApiError(status, "unknown", message)
        return ApiError(status, problem.code, f"{what}: {problem.detail or problem.title}")
