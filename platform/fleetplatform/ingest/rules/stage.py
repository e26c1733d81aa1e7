"""The stage that every engine calls in the transaction of a batch."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetplatform.batch import Rows
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.ingest.rules import readback, storage
from fleetplatform.ingest.rules.evaluation import Evaluation
from fleetplatform.ingest.rules.loading import load_states
from fleetplatform.ingest.rules.plans import Compiler, Plan, State
from fleetplatform.ingest.submission import Arrivals
from fleetplatform.registry.directory import Directory


@dataclass(frozen=True, slots=True)
class Processed:
    """How many values a batch's readings made, and how many of these are undefined."""

    values: int = 0
    undefined: int = 0


NOTHING = Processed()


class RuleStage:
    """Rules as they are now, and what they remember.

    For each batch an engine calls `write` in its transaction, with the readings that are new, and
    `committed` after the commit. What rules remember moves with `committed` alone; a batch whose
    commit was never told leaves it in doubt, until `restore` builds it again from stored rows.
    Without rules all of this costs a comparison.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._version = -1
        self._plans: list[Plan] = []
        self._states: dict[tuple[UUID, bytes], State] = {}
        self._months = storage.Months()
        self._pending: Evaluation | None = None
        self._pool: Pool | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do for now; follows the directory."""
        self._follow()
        return not self._plans

    async def load(self, pool: Pool, now_us: int) -> None:
        """Forget, and remember what is stored; before the first batch, and after one in doubt."""
        self._pool, self._version, self._pending = pool, -1, None
        self._states = {}
        if not self.idle:
            await load_states(pool, self._directory, self._plans, now_us)

    @property
    def in_doubt(self) -> bool:
        """Whether the last batch may or may not be stored: then `load` again before the next."""
        return self._pending is not None

    async def write(self, conn: Connection, rows: Rows) -> Processed:
        """Store what rules make of new readings, which are sorted by sensor and time.

        `rows.quality` says which came late. On an error the transaction must be given up.
        """
        if self.idle or not len(rows):
            return NOTHING
        evaluation = Evaluation.of(self._plans, rows)
        self._pending = evaluation
        values = _columns(evaluation)
        if len(values) and self._pool is not None:
            await self._months.ensure(self._pool, values.measured_us)
        await storage.write(conn, values)
        return Processed(len(values), int(values.undefined.sum()))

    async def write_stored(
        self, conn: Connection, arrivals: Arrivals, at: NDArray[np.intp]
    ) -> Processed:
        """As `write`, of readings that the transaction has stored: what they became is asked."""
        if self.idle or not len(at):
            return NOTHING
        return await self.write(conn, await readback.rows(conn, self._directory, arrivals, at))

    def committed(self) -> None:
        """The transaction of the last `write` is committed: remember its readings."""
        if self._pending is not None:
            self._pending.settle()
            self._pending = None

    def _follow(self) -> None:
        """Compile again if the directory has changed."""
        if self._version == self._directory.scope_version:
            return
        self._version = self._directory.scope_version
        if not self._directory.processing_rules:
            self._plans, self._states = [], {}
            return
        self._plans, self._states = Compiler(self._directory, self._states).compile()


def _columns(evaluation: Evaluation) -> storage.Values:
    """What all plans made, one behind another."""
    rows, outputs = evaluation.rows, evaluation.outputs
    ids = [evaluation.plans[one.plan].rule.processing_rule_id.int for one in outputs]
    counts = [len(one.row) for one in outputs]
    halves: Any = np.array([divmod(one, 1 << 64) for one in ids], dtype=np.uint64).reshape(-1, 2)
    row = np.concatenate([one.row for one in outputs])
    return storage.Values(
        organization=(rows.organization_high[row], rows.organization_low[row]),
        sensor=(rows.sensor_high[row], rows.sensor_low[row]),
        rule=(np.repeat(halves[:, 0], counts), np.repeat(halves[:, 1], counts)),
        measured_us=rows.measured_us[row],
        value=np.concatenate([one.value for one in outputs]),
        flag=np.concatenate([one.flag for one in outputs]),
    )
