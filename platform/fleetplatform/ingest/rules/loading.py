"""What rules remember, built again from stored rows.

Each rule's state follows from what it took in, not longer before a sensor's newest than it looks
back: readings, or the values of the rule before it; of a rule that remembers what it gave, from
that. Sensors that were silent for longer than a day and an hour begin anew.
"""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.life import sensor_id
from fleetplatform.database import packed
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.ingest.rules.plans import Indexes, Lines, Plan
from fleetplatform.processing.detectors.three_sigma import HOUR_US, HOURS
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import to_datetime

SENSORS_AT_ONCE = 2_000
"""So many sensors' rows are held at once."""

_queries: Any = load(__file__)


class _Wanted(NamedTuple):
    """rule: whose values, None: readings · since_us · look_back_s · depth: of each sensor."""

    rule: UUID | None
    since_us: int
    look_back_s: float
    depth: int


async def load_states(pool: Pool, directory: Directory, plans: list[Plan], now_us: int) -> None:
    """Fill the fresh states of plans with what was measured before a virtual time."""
    since_us = max(0, now_us - (HOURS + 1) * HOUR_US)
    async with pool.acquire() as conn:
        for plan in plans:
            if plan.state.pairings:
                await _load_pairings(conn, directory, plans, plan, since_us)
            elif plan.is_stateful:
                await _load_operation(conn, directory, plans, plan, since_us)


async def _load_pairings(
    conn: Connection, directory: Directory, plans: list[Plan], plan: Plan, since_us: int
) -> None:
    for k, pairing in enumerate(plan.state.pairings):
        wanted = _Wanted(_rule_of(plans, plan, k + 1), since_us, plan.settings.look_back_s, 1)
        for part in _parts(np.flatnonzero(plan.partner_scope[k]).astype(np.int32)):
            found = await _recent(conn, directory, part, wanted)
            pairing.settle(pairing.newly(*found))


async def _load_operation(
    conn: Connection, directory: Directory, plans: list[Plan], plan: Plan, since_us: int
) -> None:
    is_own, settings = plan.settings.FROM_OUTPUTS, plan.settings
    source = plan.rule.processing_rule_id if is_own else _rule_of(plans, plan, 0)
    wanted = _Wanted(source, since_us, settings.look_back_s, settings.depth)
    for part in _parts(np.flatnonzero(plan.scope).astype(np.int32)):
        sensor, t_us, value = await _recent(conn, directory, part, wanted)
        if not len(sensor):
            continue
        lines = plan.output if is_own else plan.lines[0]
        with np.errstate(all="ignore"):
            taken = value if lines is None else _back(lines, sensor, value, is_own)
            made = plan.state.operation.make(sensor, t_us, (taken,))
        plan.state.operation.settle(made.state)


def _back(lines: Lines, sensor: Indexes, value: Any, inverse: bool) -> Any:
    """Values as the operation knows them: inputs are brought to it, its outputs led back."""
    if not inverse:
        return lines.apply(sensor, value)
    return (value - lines.offset[sensor]) / lines.multiplier[sensor]


def _rule_of(plans: list[Plan], plan: Plan, k: int) -> UUID | None:
    source = plan.sources[k]
    return None if source is None else plans[source].rule.processing_rule_id


def _parts(sensors: Indexes) -> list[Indexes]:
    starts = range(0, len(sensors), SENSORS_AT_ONCE)
    return [sensors[start : start + SENSORS_AT_ONCE] for start in starts]


async def _recent(
    conn: Connection, directory: Directory, sensors: Indexes, wanted: _Wanted
) -> tuple[Indexes, NDArray[np.int64], NDArray[np.float64]]:
    """The last readings of some sensors, or values that a rule made of them, sorted by sensor."""
    asked: dict[str, Any] = {
        "sensors": [sensor_id(directory, one) for one in sensors.tolist()],
        "since": to_datetime(wanted.since_us),
        "look_back": timedelta(seconds=wanted.look_back_s),
        "depth": wanted.depth,
    }
    if wanted.rule is None:
        row = await _queries.recent_readings(conn, **asked)
    else:
        row = await _queries.recent_values(conn, rule=wanted.rule, **asked)
    places: Any = np.frombuffer(row["sensor_at"], dtype=">i4")
    return sensors[places], packed.times_us(row["times"]), packed.floats(row["made_values"])
