"""The whole tree of a run as types; the defaults stand in `fleetconf/config.yaml`."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fleetconf.kinds import Kind
from fleetconf.place import By
from fleetconf.units import Duration, Instant
from fleetplatform.settings import PlatformSettings
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
    RuleOfOracle,
)
from fleetstorm.config.bars import read_bars
from fleetstorm.config.matrix import MatrixSettings
from fleetstorm.metrics.storage.settings import MeasureSettings
from fleetstorm.prepare import PrepareSettings
from fleetstorm.timeline.coordinator import Span
from fleetstorm.timeline.language import Entry, read_entry
from fleetstorm.verdict import Bar, LimitsSettings

_DURATION_MAX_S = 366 * 86_400
_SPEED_MAX = 10_000


class RaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key `ray`: where the simulator's shards run."""

    address: str | None


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run, as it was asked for. `start` is None for "now"."""

    name: str
    description: str
    seed: Annotated[int, Meta(ge=0, lt=2**63)]
    duration: Annotated[Duration, Meta(gt=0, le=_DURATION_MAX_S)]
    speed: Annotated[float, Meta(gt=0, le=_SPEED_MAX)]
    start: Instant | None
    sync_interval: Annotated[Duration, Meta(ge=0.01)]
    drain_timeout: Duration
    out: str | None
    verify: bool
    vars: dict[str, Any]
    ray: RaySettings
    fleet: FleetSettings
    load: LoadSettings
    prepare: PrepareSettings
    timeline: tuple[Annotated[Entry, By(read_entry)], ...]
    bars: Annotated[dict[str, Bar], By(read_bars)]
    measure: MeasureSettings
    matrix: MatrixSettings | None
    limits: LimitsSettings
    platform: PlatformSettings
    transport: Annotated[Any, Kind("fleetsim.transport.kinds")]
    device_type: dict[str, DeviceTypeSettings]

    def span(self, start_us: int) -> Span:
        """When the load is, once it is known when it begins."""
        return Span(start_us, self.duration, self.speed, self.sync_interval)

    def fleet_plan(
        self,
        start_us: int,
        run_id: str,
        url: str = "",
        tokens: Sequence[str] = (),
        rules: tuple[RuleOfOracle, ...] = (),
    ) -> FleetPlan:
        """What the shards are told; `tokens`: one an organization, none without a platform."""
        tenants = self.prepare.tenants
        return FleetPlan(
            run_id=run_id,
            seed=self.seed,
            start_us=start_us,
            duration_s=self.duration,
            fleet=self.fleet,
            load=self.load,
            transport=self.transport,
            device_types=self.device_type,
            url=url,
            organizations=tuple(
                FleetOrganization(name=tenant.name, share=tenant.share, token=token)
                for tenant, token in zip(tenants, tokens or [""] * len(tenants), strict=True)
            ),
            rules=rules,
        )
