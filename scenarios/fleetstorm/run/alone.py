"""What the generator manages with no platform at all, measured when a run was late."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from fleetconf.convert import convert
from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.settings import FleetPlan
from fleetsim.transport.kinds import null_sink
from fleetstorm.config.compose import shipped

if TYPE_CHECKING:
    from fleetsim.fleet import Fleet

_WALL_S = 4.0
_STEP_US = 200_000


async def rate_alone(plan: FleetPlan) -> float | None:
    """Readings a second of the same fleet, encoded and thrown away; takes some seconds.

    The fleet is played as fast as it can, over the virtual time of the run at most. None when
    that held no reading.
    """
    from fleetsim.fleet import Fleet

    sink = convert(shipped("transport", "null_sink"), null_sink.Settings)
    alone = msgspec.structs.replace(plan, transport=sink, url="", rules=())
    fleet = await Fleet.start(alone)
    try:
        await fleet.enrol()
        law = ClockLaw(plan.start_us, wall_now_us(), 0.0)
        await fleet.begin(law)
        return await _play(fleet, law, plan.start_us + round(plan.duration_s * 1e6))
    finally:
        await fleet.stop()


async def _play(fleet: Fleet, law: ClockLaw, end_us: int) -> float | None:
    began = time.monotonic()
    emitted, at_us = 0, law.virtual_anchor_us
    while at_us < end_us and time.monotonic() - began < _WALL_S:
        at_us = min(at_us + _STEP_US, end_us)
        emitted += (await fleet.advance(at_us, law)).emitted
    took_s = time.monotonic() - began
    return emitted / took_s if emitted and took_s > 0 else None
