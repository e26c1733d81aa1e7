"""The stages of a run, and what each has found, so that a run cut short has what came before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleetplatform.client import Client
from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetplatform.wire.resources.clock import Clock
from fleetsim.settings import FleetPlan
from fleetstorm.config.compose import Composed
from fleetstorm.errors import UsageError
from fleetstorm.metrics.recorder import Measured, Recorder
from fleetstorm.metrics.tenants import TenantRecorder
from fleetstorm.prepare import Prepared, prepare
from fleetstorm.progress import View, figures_of
from fleetstorm.results.folder import Folder
from fleetstorm.results.proof import Anomalies
from fleetstorm.results.summary import Summary
from fleetstorm.results.tables import truth_table
from fleetstorm.run.account import Findings, describe_run, summarise
from fleetstorm.run.alone import rate_alone
from fleetstorm.run.backend import Backend, ask_clock, database_errors, start_backend
from fleetstorm.run.measures import Measures
from fleetstorm.stack.stack import Stack
from fleetstorm.timeline.coordinator import Coordinator, Span
from fleetstorm.verdict import judge
from fleetstorm.verification.alerts import AlertsVerdict, verify_alerts
from fleetstorm.verification.anomalies import verify_anomalies
from fleetstorm.verification.readings import ReadingsVerdict, verify_readings

if TYPE_CHECKING:
    from fleetsim.fleet import Fleet
    from fleetsim.ledger.report import LedgerReport, Sample

_SALVAGE_TIMEOUT_S = 15.0


class Storm:
    """One run, stage by stage.

    start → prepare → enrol → storm → drain → close_books → verify → check_generator, each at most
    once and in this order; `salvage` closes what a failure or Ctrl-C left open, `judge` sums up
    from any stage, `stop` lets go of the fleet.
    """

    def __init__(self, composed: Composed, run_id: str, folder: Folder, view: View) -> None:
        self.config = composed.config
        self.run_id = run_id
        self.folder = folder
        self.view = view
        self._began = time.monotonic()
        self._run = describe_run(composed, run_id, datetime.now(UTC))
        self._stack: Stack | None = None
        self._backend: Backend | None = None
        self._clock: Clock | None = None
        self._prepared: Prepared | None = None
        self._plan: FleetPlan | None = None
        self._fleet: Fleet | None = None
        self._recorder: Recorder | None = None
        self._coordinator: Coordinator | None = None
        self._measured: Measured | None = None
        self._ledger: LedgerReport | None = None
        self._readings: ReadingsVerdict | None = None
        self._alerts: AlertsVerdict | None = None
        self._anomalies: Anomalies | None = None
        self._alone_per_s: float | None = None
        self._size: tuple[int, int, int] | None = None
        self._sampled_us = 0
        self._sampled_wall_us = 0
        self._acknowledged = 0
        self._measures = Measures(composed.config, self.view)

    def on_part(self, name: str, what: str, detail: str) -> None:
        """Write into the journal what happened to a process of the run."""
        law = self._coordinator.law if self._coordinator else None
        now_us = law.now_us() if law else None
        self.folder.events.add(f"part_{what}", now_us, part=name, detail=detail)

    async def start(self, stack: Stack) -> None:
        """PostgreSQL and the platform on one side, Ray on the other, at the same time."""
        self._stack = stack
        served = self.config.transport.enrols
        self.view.phase("start PostgreSQL, the platform and Ray" if served else "start Ray")
        cluster = asyncio.create_task(stack.start_cluster(self.config.ray.address))
        try:
            if served:
                self._backend = await start_backend(stack, self.config.platform)
            await cluster
        finally:
            cluster.cancel()
            await asyncio.gather(cluster, return_exceptions=True)

    async def prepare(self) -> None:
        """The organizations, their device types and rules; then the plan of the fleet."""
        config = self.config
        if self._backend:
            count = len(config.prepare.tenants)
            self.view.phase(f"prepare the organization{'s' if count > 1 else ''}")
            url, token = self._backend.url, self._backend.operator_token
            self._clock = await ask_clock(self._backend)
            self._prepared = await prepare(
                url, token, self.run_id, config.prepare, config.device_type
            )
            await self._measures.fill(self._backend, self._prepared, self._start_us())
        self._plan = config.fleet_plan(
            self._start_us(),
            self.run_id,
            self._backend.url if self._backend else "",
            self._prepared.api_keys if self._prepared else (),
            self._prepared.rules if self._prepared else (),
        )

    async def enrol(self) -> None:
        """The shards, and their devices with the platform."""
        from fleetsim.fleet import Fleet

        assert self._plan is not None
        self.view.phase("start the fleet")
        self._fleet = await Fleet.start(self._plan)
        self.view.phase(f"enrol {self._fleet.devices:,} devices")
        await self._fleet.enrol()
        fleet = self._fleet
        self._size = (fleet.devices, fleet.sensors, fleet.shards)
        self.folder.events.add("enrolled", devices=fleet.devices, sensors=fleet.sensors)

    async def storm(self) -> None:
        """The load, from its start to its end."""
        assert self._fleet is not None
        config = self.config
        backend = self._backend
        self._recorder = Recorder(
            backend.url if backend else None,
            backend.owner_url if backend else None,
            self._pids,
            TenantRecorder(
                [tenant.name for tenant in config.prepare.tenants],
                [tenant.quota.readings_per_s for tenant in config.prepare.tenants],
            ),
        )
        await self._recorder.start()
        self._coordinator = Coordinator(
            self._fleet,
            config.timeline,
            self._span(),
            self.folder.events,
            set_clock=self._set_clock if self._clock and self._clock.controllable else None,
            on_sample=self._on_sample,
            database=backend.owner_url if backend else None,
        )
        self.view.phase("storm")
        await self._measures.beside(
            self._coordinator.play(), self._backend, self._span().start_us
        )

    async def drain(self) -> None:
        """No new readings; those under way arrive, or the time for it is up."""
        assert self._coordinator is not None
        self.view.phase("drain")
        await self._coordinator.drain(self.config.drain_timeout)

    async def close_books(self) -> None:
        """The measurements and the ledger, written down at once."""
        assert self._recorder is not None
        assert self._fleet is not None
        self.view.phase("close the books")
        recorder, self._recorder = self._recorder, None
        self._measured = await recorder.finish()
        self.folder.write_timeseries(self._measured.timeseries)
        self.folder.write_histograms(self._measured.histograms)
        self._ledger = ledger = await self._fleet.close_books()
        places = zip(ledger.device_ordinal.tolist(), ledger.sensor_ordinal.tolist(), strict=True)
        names = dict(zip(places, zip(ledger.serial, ledger.sensor_name, strict=True), strict=True))
        self.folder.write_truth(truth_table(ledger.truth, names))

    async def measure(self) -> None:
        """The standard queries, on what is stored by now."""
        if self._backend and self._prepared and self._plan:
            await self._measures.ask(self._backend, self._prepared, self._plan.start_us)

    async def verify(self) -> None:
        """The ledger and the oracle against the database."""
        backend, prepared, ledger = self._backend, self._prepared, self._ledger
        if not (self.config.verify and backend and prepared):
            return
        if backend.owner_url is None:
            self.view.say("Not verified: give platform.database.url of the platform's database.")
            return
        assert self._fleet is not None
        assert self._coordinator is not None
        assert ledger is not None
        self.view.phase("verify")
        owners = prepared.organization_ids
        with database_errors():
            self._readings = await verify_readings(
                backend.owner_url, owners, ledger, self._fleet.readings,
                backend.keys.keys if backend.keys else {}, backend.archive_folder,
            )
            left = {"archived": self._readings.archived, "expired": self._readings.expired}
            if any(left.values()):
                self.folder.events.add("retention", **left)
            if prepared.rules:
                law = self._coordinator.law
                self._alerts = await verify_alerts(backend.owner_url, owners, ledger, law)
            self._anomalies = await verify_anomalies(
                backend.owner_url, owners, ledger, self.config.seed
            )

    async def check_generator(self) -> None:
        """If readings went out late, what the generator manages alone."""
        lag_ms = self._measured.generator.schedule_lag_ms_p99 if self._measured else None
        late = lag_ms is not None and lag_ms > self.config.limits.schedule_lag * 1000
        if not late or self._plan is None:
            return
        self.view.phase("measure the generator alone")
        await self.stop()
        self._alone_per_s = await rate_alone(self._plan)

    async def salvage(self) -> None:
        """What was measured so far, if that can still be had within a bound; raises nothing."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_SALVAGE_TIMEOUT_S):
                if self._recorder is not None:
                    self.view.phase("write what was measured so far")
                    await self.close_books()

    async def stop(self) -> None:
        """Let go of the fleet."""
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            await fleet.stop()

    def judge(self, error: str | None, *, interrupted: bool) -> Summary:
        """The summary of everything found, with its verdict."""
        config = self.config
        found = Findings(
            database=self._backend.database if self._backend else None,
            size=self._size,
            virtual_s=self._virtual_s(),
            wall_s=round(time.monotonic() - self._began, 3),
            ledger=self._ledger,
            measured=self._measured,
            readings=self._readings,
            alerts=self._alerts,
            anomalies=self._anomalies,
            alone_per_s=self._alone_per_s,
            storage=self._measures.measured(),
            by_actions=self._coordinator.found if self._coordinator else {},
        )
        summary = summarise(config, self._run, found)
        return judge(summary, config.bars, config.limits, error=error, interrupted=interrupted)

    def _start_us(self) -> int:
        """When the load begins, in virtual time; UsageError if the platform's clock forbids it."""
        config, clock = self.config, self._clock
        if clock is not None and not clock.controllable:
            if config.start is not None:
                raise UsageError('the clock of this platform cannot be set: give start="now"')
            if config.speed != 1:
                raise UsageError("the clock of this platform cannot be set: give speed=1")
            return clock.law.now_us()
        return wall_now_us() if config.start is None else config.start

    def _span(self) -> Span:
        assert self._plan is not None
        return self.config.span(self._plan.start_us)

    def _virtual_s(self) -> float | None:
        """How much virtual time the load has lasted; None if it never began."""
        if not self._sampled_us:
            return None
        span = self._span()
        return (min(self._sampled_us, span.end_us) - span.start_us) / 1e6

    def _alerts_raised(self) -> int | None:
        """As the platform counts them: of all its tenants, so only where this run has rules."""
        if self._recorder is None or self._prepared is None or not self._prepared.rules:
            return None
        return self._recorder.latest("fleetstorm_alerts_raised_total")

    async def _set_clock(self, law: ClockLaw) -> None:
        assert self._backend is not None
        async with Client(self._backend.url, self._backend.operator_token) as operator:
            await operator.set_clock(law)

    def _pids(self) -> dict[str, list[int]]:
        """The processes of each part, as they are now."""
        stack, backend = self._stack, self._backend
        server = stack.postgres.part.pid if stack and stack.postgres else None
        service = backend.service.pid if backend and backend.service else None
        return {
            "postgres": [server] if server else [],
            "service": [service] if service else [],
            "shards": self._fleet.pids if self._fleet else [],
            "driver": [os.getpid()],
        }

    def _on_sample(self, sample: Sample, law: ClockLaw) -> None:
        """Record a sample and show it."""
        assert self._recorder is not None
        self._recorder.record(sample, law)
        span = self._span()
        self._measures.record(sample, span)
        wall_s = (sample.wall_us - (self._sampled_wall_us or law.wall_anchor_us)) / 1e6
        self._sampled_us, self._sampled_wall_us = sample.virtual_us, sample.wall_us
        self._acknowledged += sample.acknowledged
        self.view.show(
            figures_of(
                sample,
                wall_s,
                elapsed_s=(sample.virtual_us - span.start_us) / 1e6,
                duration_s=span.duration_s,
                stored=self._acknowledged if self._backend else None,
                alerts=self._alerts_raised(),
            )
        )
