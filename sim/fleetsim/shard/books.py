"""A shard's books while it runs: readings as they leave and end, latencies, the oracle."""

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.devices.population import Population
from fleetsim.faults import CAUSES, FaultSet
from fleetsim.ledger.digest import RunDigest
from fleetsim.ledger.ledger import Ledger
from fleetsim.ledger.report import Disposition, ExpectedAlert, LedgerReport, Sample
from fleetsim.oracle.alerts import AlertOracle
from fleetsim.settings import RuleOfOracle
from fleetsim.shard.dispatch import Settled
from fleetsim.shard.organizations import Organizations
from fleetsim.shard.sensing import Measured, is_past
from fleetsim.shard.settlement import Columns, settle
from fleetsim.transport.report import Piece, Report

BUFFER_FULL = "buffer_full"
_NOTHING: Mapping[int, int] = MappingProxyType({})
_NEVER = np.iinfo(np.int64).max


class Books:
    """emit → drop | settle, sample … → close. Everything by the batch."""

    def __init__(self, ledger: Ledger, population: Population, rules: Sequence[RuleOfOracle]):
        self.ledger = ledger
        self._population = population
        self._rules = rules
        self._oracle = AlertOracle(rules, population)
        self._organizations = Organizations(population)
        self._sample = Sample()
        self._lags: list[tuple[int, int]] = []
        self._before = (0,) * 5
        self._requests_before = 0
        self._duplicates = 0
        self._unknown_from_us = np.full(population.sensors, _NEVER, np.int64)

    def emit(self, measured: Measured, intended_us: int) -> Report:
        """Enter what was measured; returns the readings that are to be sent."""
        due, raw, withheld = measured.due, measured.raw, measured.withheld
        hashes = self.ledger.emit(due.sensor, due.tick, due.t_us, raw, measured.label)
        self._organizations.emit(due.sensor)
        if not withheld.any():
            return Report(due.sensor, due.tick, due.t_us, raw, hashes, intended_us)
        for label in np.unique(measured.label[withheld]).tolist():
            self.ledger.withhold(due.sensor[withheld & (measured.label == label)], CAUSES[label])
        sent = ~withheld
        return Report(
            due.sensor[sent], due.tick[sent], due.t_us[sent], raw[sent], hashes[sent], intended_us
        )

    def handed_over(self, report: Report) -> None:
        """All of a report has been given to the senders: how late was that?"""
        self._lags.append((max(0, wall_now_us() - report.intended_us), len(report)))

    def drop(self, pieces: list[Piece]) -> None:
        """The senders' buffers were full."""
        columns = Columns.of(pieces)
        self.ledger.drop(columns.sensor, columns.tick, BUFFER_FULL)
        self._organizations.drop(columns.sensor)

    def settle(self, settled: list[Settled], law: ClockLaw) -> None:
        """Enter what the backend has answered."""
        if not settled:
            return
        end = settle(settled)
        taken = end.acknowledged
        self.ledger.acknowledge(taken.sensor, taken.hashes)
        for code, columns in end.rejected.items():
            self.ledger.reject(columns.sensor, columns.tick, code)
        self._end_unknown(end.doubtful)
        self._duplicates += end.duplicates
        self._sample.duplicates += end.duplicates
        self._observe(taken)
        self._organizations.answer(end, timed=law.speed > 0)
        self._sample.service.add(end.answered_us - end.first_sent_us, end.sizes)
        if law.speed > 0:
            self._sample.response.add(end.answered_us - end.intended_us, end.sizes)
            measured_us = law.wall_anchor_us + (taken.t_us - law.virtual_anchor_us) / law.speed
            age_us = (end.taken_us - measured_us).astype(np.int64)
            self._sample.age.add(age_us[~is_past(taken.tick)])

    def sample(
        self,
        virtual_us: int,
        requests: int,
        cpu_s: float,
        rss_bytes: int,
        refused: Mapping[int, int] = _NOTHING,
    ) -> Sample:
        """What happened since the last sample; `refused` counts requests by organization."""
        sample, self._sample = self._sample, Sample()
        if self._lags:
            lags, self._lags = np.array(self._lags, np.int64), []
            sample.schedule_lag.add(lags[:, 0], lags[:, 1])
        t = self.ledger.totals
        now = (t.emitted, t.acknowledged, t.dropped, t.rejected, t.withheld)
        names = ("emitted", "acknowledged", "dropped", "rejected", "withheld")
        for name, after, before in zip(names, now, self._before, strict=True):
            setattr(sample, name, after - before)
        self._before = now
        sample.virtual_us, sample.wall_us = virtual_us, time.time_ns() // 1000
        sample.buffered = t.open
        sample.requests = requests - self._requests_before
        self._requests_before = requests
        sample.cpu_s, sample.rss_bytes = cpu_s, rss_bytes
        sample.organizations = self._organizations.take(refused)
        return sample

    def close(
        self, uncertain: list[Piece], buffered: list[Piece], requests: int, faults: FaultSet
    ) -> tuple[LedgerReport, RunDigest]:
        """Enter what remains and write the books; raises LedgerError should they not balance."""
        kept = Columns.of(buffered)
        self._end_unknown(Columns.of(uncertain))
        self.ledger.remain(kept.sensor, kept.tick, Disposition.BUFFERED)
        self.ledger.check()
        population = self._population
        serials = population.serial_numbers
        report = self.ledger.write(
            list(population.sensor_name),
            [serials[device] for device in population.sensor_device.tolist()],
            population.multiplier,
            population.offset,
        )
        report.organization = population.organization[population.sensor_device]
        report.requests, report.duplicates = requests, self._duplicates
        report.truth = list(faults.truth())
        report.expected_alerts = self._expected()
        report.unknown_from_us = self._unknown_from_us
        return report, self.ledger.digest

    def _observe(self, taken: Columns) -> None:
        """Show the oracle what was acknowledged, by sensor and then by time.

        What is of a backlog may raise an alert, though late, depending on what it is stored with:
        from there on nothing is certain of its sensor.
        """
        if self._rules and (past := is_past(taken.tick)).any():
            np.minimum.at(self._unknown_from_us, taken.sensor[past], taken.t_us[past])
            taken = taken.where(~past)
        if not self._rules or not len(taken.sensor):
            return
        order = np.argsort(taken.sensor, kind="stable")
        sensor = taken.sensor[order]
        calibrated = self._population.calibrated(sensor, taken.raw[order])
        self._oracle.observe(sensor, taken.t_us[order], calibrated)

    def _end_unknown(self, columns: Columns) -> None:
        """Readings that may be stored or not."""
        self.ledger.remain(columns.sensor, columns.tick, Disposition.INDETERMINATE)
        np.minimum.at(self._unknown_from_us, columns.sensor, columns.t_us)

    def _expected(self) -> list[ExpectedAlert]:
        """The oracle's alerts; certain if raised before the sensor's first reading of unknown end.

        What comes later may end an alert, or raise the next one, but not undo this one.
        """
        expected = self._oracle.expected()
        certain = expected.raised_us < self._unknown_from_us[expected.sensor]
        columns = (
            expected.rule, expected.sensor, expected.raised_us, expected.resolved_us, certain
        )  # fmt: skip
        return [
            ExpectedAlert(self._rules[rule].name, sensor, raised_us, resolved_us, sure)
            for rule, sensor, raised_us, resolved_us, sure in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]

