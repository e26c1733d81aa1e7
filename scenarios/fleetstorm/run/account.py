"""What a run has learnt, as the parts of its summary; what it did not get to stays null."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray

from fleetconf import kinds
from fleetplatform.admin import PreparedDatabase
from fleetsim.ledger.report import LedgerReport
from fleetstorm.config.compose import Composed
from fleetstorm.config.settings import RunConfig
from fleetstorm.metrics.recorder import Measured, percentiles
from fleetstorm.results.proof import Anomalies, Verification
from fleetstorm.results.storage import Storage
from fleetstorm.results.summary import Load, Machine, Partitions, RunSummary, Summary
from fleetstorm.verification.alerts import AlertsVerdict
from fleetstorm.verification.readings import ReadingsVerdict
from fleetstorm.verification.summary import summarise as summarise_court

_GIT_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Findings:
    """What a run has found by now; None for what it did not get to.

    size: devices, sensors, shards · alone_per_s: what the generator manages with no platform ·
    by_actions: parts of the summary that actions of the timeline have filled in.
    """

    database: PreparedDatabase | None
    size: tuple[int, int, int] | None
    virtual_s: float | None
    wall_s: float
    ledger: LedgerReport | None
    measured: Measured | None
    readings: ReadingsVerdict | None
    alerts: AlertsVerdict | None
    anomalies: Anomalies | None
    alone_per_s: float | None
    storage: Storage = field(default_factory=Storage)
    by_actions: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def describe_run(composed: Composed, run_id: str, started_at: datetime) -> RunSummary:
    """Which run this is."""
    config = composed.config
    return RunSummary(
        id=run_id,
        scenario=config.name,
        seed=config.seed,
        started_at=started_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        version=importlib.metadata.version("fleetstorm"),
        git=_git_commit(),
        config_sha256=hashlib.sha256(composed.yaml.encode()).hexdigest(),
        speed=config.speed,
    )


def describe_machine(database: PreparedDatabase | None) -> Machine:
    """What it runs on; null for a database that was not looked at."""
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        postgres=database.postgres if database else None,
        fsync=database.fsync if database else None,
        full_page_writes=database.full_page_writes if database else None,
        synchronous_commit=database.synchronous_commit if database else None,
    )


def summarise(config: RunConfig, run: RunSummary, found: Findings) -> Summary:
    """The summary of what was found, without bars and verdict."""
    ledger, measured = found.ledger, found.measured
    run = msgspec.structs.replace(
        run,
        digest=ledger.digest if ledger else None,
        wall_s=found.wall_s,
        virtual_s=found.virtual_s,
    )
    load = _plan(config, found)
    if ledger is not None:
        load = _with_books(load, ledger)
    if found.readings is not None:
        load = msgspec.structs.replace(
            load, stored=found.readings.stored, archived=found.readings.archived,
            expired=found.readings.expired,
        )  # fmt: skip
    summary = Summary(
        run=run,
        machine=describe_machine(found.database),
        load=load,
        verification=_verification(found),
        storage=found.storage,
        partitions=_partitions(found),
    )
    return summary if measured is None else _with_measured(summary, measured, found)


def without_secrets(text: str) -> str:
    """A configuration's YAML without the passwords of its URLs and without its token."""
    text = re.sub(r"(\w+://[^:/@\s]*):.+@", r"\1:***@", text)
    text = re.sub(r"([?&](?:ssl)?password=)[^&\s'\"]+", r"\1***", text)
    return re.sub(r"(?m)^(\s+token:) (?!null).+$", r"\1 '***'", text)


def _plan(config: RunConfig, found: Findings) -> Load:
    """What was planned."""
    served = config.transport.enrols
    layout = config.platform.layout
    devices, sensors, shards = found.size or (config.fleet.devices, None, None)
    return Load(
        devices=devices,
        sensors=sensors,
        shards=shards,
        transport=kinds.name_of(config.transport),
        engine=config.platform.engine.kind if served else None,
        layout=layout.kind if served else None,
        indexes=found.database.indexes if found.database else None,
    )


def _with_books(plan: Load, ledger: LedgerReport) -> Load:
    def total(counts: NDArray[np.int64]) -> int:
        return int(counts.sum())

    def by_cause(counts: Mapping[str, NDArray[np.int64]]) -> dict[str, int]:
        return {cause: total(count) for cause, count in counts.items()}

    withheld, dropped, rejected = map(
        by_cause, (ledger.withheld, ledger.dropped, ledger.rejected)
    )
    return msgspec.structs.replace(
        plan,
        emitted=total(ledger.emitted),
        withheld=sum(withheld.values()),
        dropped=sum(dropped.values()),
        rejected=sum(rejected.values()),
        acknowledged=total(ledger.acknowledged),
        indeterminate=total(ledger.indeterminate),
        buffered=total(ledger.buffered),
        duplicates=ledger.duplicates,
        requests=ledger.requests,
        withheld_by_cause=withheld,
        dropped_by_cause=dropped,
        rejected_by_code=rejected,
    )


def _verification(found: Findings) -> Verification:
    if found.readings is None:
        return Verification()
    conflicts = found.measured.conflicts if found.measured else None
    return summarise_court(found.readings, found.alerts, found.anomalies, conflicts)


def _partitions(found: Findings) -> Partitions | None:
    seen = found.by_actions.get("partitions")
    return Partitions(**seen) if seen else None


def _with_measured(summary: Summary, measured: Measured, found: Findings) -> Summary:
    """The summary with the figures of speed and cost."""
    raised = found.alerts.latency if found.alerts else None
    stored = measured.stored_per_s if found.database or found.readings else None
    return msgspec.structs.replace(
        summary,
        load=msgspec.structs.replace(
            summary.load, offered_per_s=measured.offered_per_s, stored_per_s=stored
        ),
        latency_ms=msgspec.structs.replace(
            measured.latency, alert=percentiles(raised) if raised is not None else None
        ),
        tenants=measured.tenants,
        resources=measured.resources,
        generator=msgspec.structs.replace(
            measured.generator, null_sink_per_s=found.alone_per_s
        ),
    )


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _git_commit() -> str | None:
    """The commit of the checkout that this code lies in; None where there is none."""
    folder = Path(__file__).parent
    if "site-packages" in folder.parts:
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude", "*"],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
