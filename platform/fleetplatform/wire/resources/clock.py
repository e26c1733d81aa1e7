"""The clock of the platform."""

from fleetplatform.wire.clock import ClockLaw
from fleetplatform.wire.resources.body import Reply


class Clock(Reply, frozen=True, kw_only=True):
    """GET /v1/clock, and the body of PUT /v1/clock."""

    law: ClockLaw
    controllable: bool = True
