"""The measure: how well the platform's anomaly flags tell the injected faults from all else.

A fault counts as found if a reading within its interval is flagged; of flagged readings, those
within an interval are right and those outside are wrong. In the hour after an interval a flag is
neither: a detector may need that long to settle. Readings without a score, which nothing could be
said about yet, are left out, and so is a fault during which there are none but these.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.report import LedgerReport
from fleetsim.ledger.truth import Interval
from fleetstorm.results.summary import Anomalies, Detection
from fleetstorm.verification import table
from fleetstorm.verification.sensors import make_id

SETTLING_US = 3_600_000_000
DRAWS = 100
"""How often the random detector is tried; its figures are means."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Spans:
    """Spans of single sensors, `end_us` excluded; n each."""

    sensor: list[UUID]
    start_us: list[int]
    end_us: list[int]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the table holds of n spans: readings with a score, those flagged, the first of these
    (−1 without any).
    """

    judged: Ints
    flagged: Ints
    first_us: Ints


@dataclass(frozen=True, slots=True)
class _Outside:
    """Readings of some sensors that are in no fault and not in the hour after one."""

    judged: int
    flagged: int


async def verify_anomalies(
    owner_url: str, organizations: list[UUID], ledger: LedgerReport, seed: int
) -> Anomalies | None:
    """Judge the flags in the table; None for a run without faults, or without any score."""
    if not ledger.truth:
        return None
    connection = await table.connect(owner_url)
    try:
        found = table.queries.scored_readings(connection, organizations=organizations)
        totals = {row["sensor_id"]: (row["judged"], row["flagged"]) async for row in found}
        if not any(judged for judged, _ in totals.values()):
            return None
        return await _judge(connection, ledger, totals, seed)
    finally:
        await connection.close()


async def _judge(
    connection: Any, ledger: LedgerReport, totals: dict[UUID, tuple[int, int]], seed: int
) -> Anomalies:
    spans = _spans_of(ledger, ledger.truth)
    seen = await _look(connection, spans)
    core = merge(spans, 0)
    wide = merge(spans, SETTLING_US)
    inside, around = await _look(connection, core), await _look(connection, wide)
    judged, flagged = (sum(one[i] for one in totals.values()) for i in (0, 1))
    outside = _outside(totals, wide, around, set(totals))
    rate = flagged / judged
    random = np.random.default_rng(seed)
    overall = detection(spans, seen, int(inside.flagged.sum()), outside)
    chance = random_detection(spans, seen, int(inside.judged.sum()), outside, rate, random)
    by_fault = {}
    for kind in sorted({interval.kind for interval in ledger.truth}):
        at = np.array([interval.kind == kind for interval in ledger.truth])
        of_kind, seen_of_kind = _pick(spans, at), _Seen(*(c[at] for c in _columns(seen)))
        mine = _outside(totals, wide, around, set(of_kind.sensor))
        by_fault[kind] = detection(of_kind, seen_of_kind, int(seen.flagged[at].sum()), mine)
    return Anomalies(
        judged=judged,
        flagged=flagged,
        overall=overall,
        by_fault=by_fault,
        null_detector=_null(overall),
        random_detector=chance,
        f1_above_random=_difference(overall.f1, chance.f1),
    )


def detection(spans: _Spans, seen: _Seen, right: int, outside: _Outside) -> Detection:
    """The figures of a detector that flagged so many readings rightly."""
    known = seen.judged > 0
    faults = int(known.sum())
    if not faults:
        return Detection(faults=0)
    hit = known & (seen.first_us >= 0)
    delays = (seen.first_us - np.array(spans.start_us, dtype=np.int64))[hit] / 1e6
    recall = int(hit.sum()) / faults
    flagged = right + outside.flagged
    precision = right / flagged if flagged else None
    return Detection(
        faults=faults,
        precision=precision,
        recall=recall,
        f1=f1_of(precision, recall),
        delay_s=median(delays.tolist()) if len(delays) else None,
    )


def random_detection(
    spans: _Spans, seen: _Seen, judged_inside: int, outside: _Outside, rate: float,
    random: np.random.Generator,
) -> Detection:
    """What flags drawn at that rate would find, the mean of many draws.

    Of the m scored readings in a fault, spread evenly over it, the first that is flagged is
    geometric; so no reading has to be fetched.
    """
    known = seen.judged > 0
    judged = seen.judged[known]
    if not rate or not len(judged):
        return _null(Detection(faults=len(judged)))
    length_us = np.array(spans.end_us, dtype=np.int64) - np.array(spans.start_us, dtype=np.int64)
    first = random.geometric(rate, (DRAWS, len(judged)))
    hit = first <= judged
    right = random.binomial(judged_inside, rate, DRAWS)
    wrong = random.binomial(outside.judged, rate, DRAWS)
    some = right + wrong > 0
    precision = float(np.mean(right[some] / (right + wrong)[some])) if some.any() else None
    delays = ((first - 0.5) * (length_us[known] / judged) / 1e6)[hit]
    recall = float(hit.mean())
    return Detection(
        faults=len(judged),
        precision=precision,
        recall=recall,
        f1=f1_of(precision, recall),
        delay_s=float(np.median(delays)) if len(delays) else None,
    )


def f1_of(precision: float | None, recall: float) -> float:
    """The harmonic mean of both; 0 for a detector that finds nothing."""
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def merge(spans: _Spans, longer_us: int) -> _Spans:
    """The same instants of the same sensors, each once, with so much time after each span."""
    merged: list[tuple[UUID, int, int]] = []
    for sensor, start_us, end_us in sorted(
        zip(spans.sensor, spans.start_us, spans.end_us, strict=True)
    ):
        end_us += longer_us
        if merged and merged[-1][0] == sensor and start_us <= merged[-1][2]:
            merged[-1] = (sensor, merged[-1][1], max(end_us, merged[-1][2]))
        else:
            merged.append((sensor, start_us, end_us))
    return _Spans(*(list(column) for column in zip(*merged, strict=True)))


def _outside(
    totals: dict[UUID, tuple[int, int]], wide: _Spans, around: _Seen, sensors: set[UUID]
) -> _Outside:
    """Readings of some sensors beyond the wide spans, which cover no instant twice."""
    mine = np.array([sensor in sensors for sensor in wide.sensor])
    judged, flagged = (sum(totals.get(one, (0, 0))[i] for one in sensors) for i in (0, 1))
    return _Outside(
        judged - int(around.judged[mine].sum()), flagged - int(around.flagged[mine].sum())
    )


def _null(like: Detection) -> Detection:
    """A detector that never flags."""
    found = 0.0 if like.faults else None
    return Detection(faults=like.faults, recall=found, f1=found)


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _spans_of(ledger: LedgerReport, truth: Iterable[Interval]) -> _Spans:
    places = zip(ledger.device_ordinal.tolist(), ledger.sensor_ordinal.tolist(), strict=True)
    index = {place: n for n, place in enumerate(places)}
    rows = [
        (index[one.device_ordinal, one.sensor_ordinal], one.start_us, one.end_us) for one in truth
    ]
    return _Spans(
        [make_id(int(ledger.sensor_high[n]), int(ledger.sensor_low[n])) for n, _, _ in rows],
        [start for _, start, _ in rows],
        [end for _, _, end in rows],
    )


async def _look(connection: Any, spans: _Spans) -> _Seen:
    found = table.queries.scored_in_spans(
        connection, sensors=spans.sensor, starts_us=spans.start_us, ends_us=spans.end_us
    )
    rows = [(row["judged"], row["flagged"], row["first_us"]) async for row in found]
    return _Seen(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))


def _columns(seen: _Seen) -> tuple[Ints, Ints, Ints]:
    return seen.judged, seen.flagged, seen.first_us


def _pick(spans: _Spans, at: NDArray[np.bool_]) -> _Spans:
    chosen = np.flatnonzero(at).tolist()
    return _Spans(
        [spans.sensor[n] for n in chosen],
        [spans.start_us[n] for n in chosen],
        [spans.end_us[n] for n in chosen],
    )
