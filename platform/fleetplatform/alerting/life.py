"""The life of an alert in the database: raised, cleared, each with its event."""

from typing import Any
from uuid import UUID

import numpy as np

from fleetplatform.alerting.rulebook import Rulebook, Transitions
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import to_datetime

_queries: Any = load(__file__)


async def apply(
    conn: Connection, transitions: Transitions, rulebook: Rulebook, directory: Directory
) -> tuple[int, int]:
    """Write a batch's transitions in the caller's transaction; how many were raised and cleared.

    Within one (rule, sensor) raised and cleared alternate, so a raised alert is cleared by the
    row that follows it, if that is of the same pair.
    """
    if not len(transitions):
        return 0, 0
    raised = transitions.raised
    pair_goes_on = np.zeros(len(transitions), dtype=np.bool_)
    same = np.diff(transitions.rule) == 0
    same &= np.diff(transitions.sensor) == 0
    pair_goes_on[:-1] = same
    follows = np.zeros(len(transitions), dtype=np.bool_)
    follows[1:] = same
    cleared_before = ~raised & ~follows
    if cleared_before.any():
        await _clear(conn, transitions, np.flatnonzero(cleared_before), rulebook, directory)
    if raised.any():
        await _raise(conn, transitions, np.flatnonzero(raised), pair_goes_on, rulebook, directory)
    return int(raised.sum()), int((~raised).sum())


async def _clear(
    conn: Connection,
    transitions: Transitions,
    at: np.ndarray[Any, np.dtype[np.intp]],
    rulebook: Rulebook,
    directory: Directory,
) -> None:
    rules = [rulebook.rules[i] for i in transitions.rule[at]]
    await _queries.clear_alerts(
        conn,
        organizations=[directory.organizations[rule.organization] for rule in rules],
        rules=[rule.rule_id for rule in rules],
        sensors=[sensor_id(directory, i) for i in transitions.sensor[at]],
        cleared_at=[to_datetime(t) for t in transitions.at_us[at].tolist()],
    )


async def _raise(
    conn: Connection,
    transitions: Transitions,
    at: np.ndarray[Any, np.dtype[np.intp]],
    pair_goes_on: np.ndarray[Any, np.dtype[np.bool_]],
    rulebook: Rulebook,
    directory: Directory,
) -> None:
    rules = [rulebook.rules[i] for i in transitions.rule[at]]
    sensors = transitions.sensor[at]
    devices = directory.sensor_device[sensors]
    resolved = [
        to_datetime(int(transitions.at_us[i + 1])) if pair_goes_on[i] else None for i in at.tolist()
    ]
    await _queries.raise_alerts(
        conn,
        organizations=[directory.organizations[rule.organization] for rule in rules],
        rules=[rule.rule_id for rule in rules],
        sensors=[sensor_id(directory, i) for i in sensors],
        devices=[device_id(directory, i) for i in devices],
        severities=[rule.severity for rule in rules],
        raised_at=[to_datetime(t) for t in transitions.at_us[at].tolist()],
        trigger_values=_shown(transitions.value[at], directory.sensor_sensitive[sensors]),
        resolved_at=resolved,
    )


def _shown(
    values: np.ndarray[Any, np.dtype[np.float64]], sensitive: np.ndarray[Any, np.dtype[np.bool_]]
) -> list[float | None]:
    """The values that an alert may carry: none of a sensitive sensor's."""
    if not sensitive.any():
        plain: list[float | None] = values.tolist()
        return plain
    return [
        None if secret else value
        for value, secret in zip(values.tolist(), sensitive.tolist(), strict=True)
    ]


async def load_open(conn: Connection, rulebook: Rulebook, directory: Directory) -> None:
    """Take the open alerts from the database into the rulebook."""
    rows = [row async for row in _queries.open_alerts(conn)]
    high = np.array([row["sensor_id"].int >> 64 for row in rows], dtype=np.uint64)
    low = np.array([row["sensor_id"].int & (2**64 - 1) for row in rows], dtype=np.uint64)
    rulebook.load_open([row["rule_id"] for row in rows], directory.find_sensors(high, low))


def sensor_id(directory: Directory, index: int) -> UUID:
    """The id of a sensor of the directory."""
    return UUID(int=int(directory.sensor_high[index]) << 64 | int(directory.sensor_low[index]))


def device_id(directory: Directory, index: int) -> UUID:
    """The id of a device of the directory."""
    return UUID(int=int(directory.device_high[index]) << 64 | int(directory.device_low[index]))
