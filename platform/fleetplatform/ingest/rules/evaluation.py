"""A batch through all plans: arrays in, arrays out; what they remember moves later."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleetplatform.batch import Rows
from fleetplatform.ingest.rules.plans import Indexes, Mask, Plan
from fleetplatform.processing.quality import Quality
from fleetplatform.processing.rules import Flag

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


class Series(NamedTuple):
    """What goes from one plan to another: n readings of a batch, and a value of each.

    row: positions in the batch, sorted by sensor and time.
    """

    row: Positions
    value: Floats


class Output(NamedTuple):
    """What a plan made of a batch; `plan` is its position, `value` NaN where it is undefined."""

    plan: int
    row: Positions
    value: Floats
    flag: NDArray[np.int16]


@dataclass(slots=True)
class Evaluation:
    """One batch; `settle` moves the state of every rule that saw something of it."""

    plans: list[Plan]
    rows: Rows
    outputs: list[Output]
    _late: Mask
    _moves: list[tuple[Callable[[Any], None], Any]]

    @classmethod
    def of(cls, plans: list[Plan], rows: Rows) -> "Evaluation":
        """The values that rules make of new readings, sorted by sensor and time."""
        late = rows.quality & np.int16(Quality.LATE) != 0
        made = cls(plans, rows, [], late, [])
        # What has no value: nothing comes of a division by zero but a flag.
        with np.errstate(all="ignore"):
            for at, plan in enumerate(plans):
                made.outputs.append(made._run(at, plan))
        return made

    def settle(self) -> None:
        """After the commit: remember."""
        for settle, state in self._moves:
            settle(state)
        self._moves = []

    def _run(self, at: int, plan: Plan) -> Output:
        row, value = self._series(plan.sources[0], plan.scope, plan)
        inputs = [_brought(plan, 0, self.rows.sensor[row], value)]
        for k in range(1, len(plan.sources)):
            partner, there = self._paired(plan, k, row)
            row, inputs = row[there], [one[there] for one in inputs]
            inputs.append(_brought(plan, k, self.rows.sensor[row], partner[there]))
        sensor = self.rows.sensor[row]
        if not len(row):
            return Output(at, row, np.zeros(0), np.zeros(0, dtype=np.int16))
        made = plan.state.operation.make(sensor, self.rows.measured_us[row], tuple(inputs))
        self._moves.append((plan.state.operation.settle, made.state))
        row, value = row[made.at], made.value
        if plan.output is not None:
            value = plan.output.apply(self.rows.sensor[row], value)
        return self._flagged(at, row, value, made.partial)

    def _series(self, source: int | None, scope: Mask, plan: Plan) -> Series:
        """The readings of a scope, or what another plan made of them; late ones for stateless."""
        if source is None:
            row = np.flatnonzero(scope[self.rows.sensor])
            value = self.rows.value[row]
        else:
            before = self.outputs[source]
            usable = scope[self.rows.sensor[before.row]] & (before.flag & Flag.UNDEFINED == 0)
            row, value = before.row[usable], before.value[usable]
        if plan.is_stateful:
            timely = ~self._late[row]
            if not timely.all():
                row, value = row[timely], value[timely]
        return Series(row, value)

    def _paired(self, plan: Plan, k: int, row: Positions) -> tuple[Floats, Mask]:
        """What input k was at each of n readings of the first one."""
        pairing = plan.state.pairings[k - 1]
        other = self._series(plan.sources[k], plan.partner_scope[k - 1], plan)
        readings = self.rows.sensor[other.row], self.rows.measured_us[other.row], other.value
        wanted: Indexes = plan.partners[k - 1][self.rows.sensor[row]]
        found = pairing.match(wanted, self.rows.measured_us[row], *readings)
        self._moves.append((pairing.settle, pairing.newly(*readings)))
        return found

    def _flagged(self, at: int, row: Positions, value: Floats, partial: Mask | None) -> Output:
        undefined = ~np.isfinite(value)
        flag = undefined * np.int16(Flag.UNDEFINED)
        flag |= (self.rows.quality[row] != 0) * np.int16(Flag.INPUT)
        flag |= self._late[row] * np.int16(Flag.LATE)
        if partial is not None:
            flag |= partial * np.int16(Flag.PARTIAL)
        if undefined.any():
            value = np.where(undefined, np.nan, value)
        return Output(at, row, value, flag)


def _brought(plan: Plan, k: int, sensor: Indexes, value: Floats) -> Floats:
    """An input in the unit in which the operation takes it; sensors are the first input's."""
    lines = plan.lines[k]
    return value if lines is None else lines.apply(sensor, value)
