"""One pass over what is due, as steps each of which may be the last.

A manifest goes planned or detached → written → verified → dropped, and each state is committed
before the next step begins; whatever a step did before its commit is done again by the next pass.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import structlog

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import ArchiveError
from fleetplatform.timeseries.retention import files, plan
from fleetplatform.timeseries.retention.plan import WHOLE_TABLE, Group, Span
from fleetplatform.timeseries.retention.steps import Limits, OnStep, Steps, Swept

TRIES_MAX = 3

_log = structlog.get_logger()
_queries: Any = load(__file__)


def _nothing(_: str) -> None:
    pass


async def sweep(conn: Connection, limits: Limits, on_step: OnStep = _nothing) -> Swept:
    """End what was begun, then begin what is due and end that.

    On a connection of the worker's that holds the retention lock. What an archive refuses is told
    in the answer and tried again by the next pass.
    """
    return await _Sweep(conn, limits, on_step).run()


class _Sweep:
    def __init__(self, conn: Connection, limits: Limits, on_step: OnStep) -> None:
        self._conn = conn
        self._limits = limits
        self._on_step = on_step
        self._swept = Swept()
        self._steps = Steps(conn, limits, self._swept, on_step)

    async def run(self) -> Swept:
        await self._finish()
        try:
            await self._begin()
        except ArchiveError as error:
            self._steps.tell(error)
        await self._finish()
        await self._forget_days()
        return self._swept

    async def _begin(self) -> None:
        """Plan what is due."""
        state = await _queries.state(self._conn)
        if state["keep_days"] is None:
            return
        today = state["today"]
        before = datetime.combine(today - timedelta(days=state["keep_days"]), time(), UTC)
        found = _queries.spans(self._conn, before=before, seen=state["state"])
        spans = [Span(*row) async for row in found]
        under_way = [
            (one["span_from"], one["span_to"])
            async for one in _queries.open_manifests(self._conn)
            if one["relation"] == WHOLE_TABLE
        ]
        for span in spans:
            # What is planned there already must not be planned twice.
            if any(start < span.end and end > span.start for start, end in under_way):
                continue
            if not await self._begin_one(span, today, before, state["state"]):
                # Somebody holds the table for long: do not stop ingest again and again.
                break
        await _queries.drop_empty_spans(self._conn, before=before)

    async def _begin_one(self, span: Span, today: date, before: datetime, state: str) -> bool:
        """Plan what is due of a span; false where somebody keeps its table locked."""
        groups = await plan.survey(self._conn, span.relation, span.start, span.end)
        is_over = span.is_partition and span.end <= before
        if is_over and all(group.is_whole(today, span.end) for group in groups):
            self._check_folder(groups)
            return await self._take_out(span, groups)
        ends = [(group, group.due_until(today, span.end)) for group in groups]
        due = [(group, until) for group, until in ends if until is not None]
        self._check_folder([group for group, _ in due])
        async with self._conn.transaction():
            for group, until in due:
                await self._add(WHOLE_TABLE, "planned", group, (span.start, until))
            await _queries.record_survey(
                self._conn, relation=span.relation, span_from=span.start, state=state
            )
            self._on_step("planning")
        self._on_step("planned")
        return True

    async def _take_out(self, span: Span, groups: Sequence[Group]) -> bool:
        """Detach a partition, once the hours of its readings are made; false as `_begin_one`."""
        async with self._conn.transaction():
            for group in groups:
                if not await _queries.raise_floor(
                    self._conn,
                    organization_id=group.organization_id,
                    sensor_type=group.sensor_type,
                    sensors=group.sensors,
                    before=span.end,
                ):
                    return True
            if not await self._retire(span):
                return False
        self._on_step("detached")
        return True

    async def _retire(self, span: Span) -> bool:
        retired = await _queries.retire_partition(
            self._conn, relation=span.relation, span_from=span.start, span_to=span.end
        )
        if retired is None:
            _log.warning("the partition is locked and tried again", partition=span.relation)
            return False
        return True

    async def _forget_days(self) -> None:
        """Of which days readings are in the table, where some may have been the last."""
        state = await _queries.state(self._conn)
        if self._swept.is_empty or state["keep_days"] is None:
            return
        last = state["today"] - timedelta(days=state["keep_days"] - 1)
        await _queries.forget_days(self._conn, before=datetime.combine(last, time(), UTC))

    def _check_folder(self, groups: list[Group]) -> None:
        """Nothing leaves the table for an archive that cannot be written."""
        if any(group.action == "archive" for group in groups):
            files.check_folder(self._limits.archive)

    async def _add(
        self, relation: str, state: str, group: Group, span: tuple[datetime, datetime]
    ) -> None:
        pieces = await plan.split(self._conn, relation, group, span, self._limits.file_rows)
        for start, end in pieces:
            await _queries.add_manifest(
                self._conn,
                organization_id=group.organization_id,
                action=group.action,
                state=state,
                relation=relation,
                sensor_type=group.sensor_type,
                sensors=group.sensors,
                span_from=start,
                span_to=end,
            )

    async def _finish(self) -> None:
        """End what was begun; what changes meanwhile begins again, a few times."""
        await self._plan_retired()
        for _ in range(TRIES_MAX):
            if await self._end_all():
                break
        for row in [row async for row in _queries.ready_to_drop(self._conn)]:
            await self._steps.drop(row["relation"])

    async def _end_all(self) -> bool:
        """Whether every manifest came as far as it goes."""
        done = True
        for manifest in [dict(one) async for one in _queries.open_manifests(self._conn)]:
            try:
                done &= await self._steps.end(manifest)
            except ArchiveError as error:
                self._steps.tell(error)
        return done

    async def _plan_retired(self) -> None:
        for row in [row async for row in _queries.unsurveyed(self._conn)]:
            relation, span = row["relation"], (row["span_from"], row["span_to"])
            today = (await _queries.state(self._conn))["today"]
            async with self._conn.transaction():
                for group in await plan.survey(self._conn, relation, *span):
                    if group.is_whole(today, span[1]):
                        await self._add(relation, "detached", group, span)
                        continue
                    # Came, or was given another policy, while the partition was taken out.
                    await _queries.put_back(
                        self._conn, relation=relation, organization_id=group.organization_id,
                        sensor_type=group.sensor_type, sensors=group.sensors,
                    )  # fmt: skip
                await _queries.set_surveyed(self._conn, relation=relation)
                self._on_step("surveying")
            self._on_step("surveyed")
