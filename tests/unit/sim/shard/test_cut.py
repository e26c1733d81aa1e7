"""From a slot's readings to pieces: each reading with the sender that speaks for it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.shard.cut import Senders
from fleetsim.transport.report import Report

_SENSORS_PER_DEVICE = 3


def _senders(devices: int, devices_per_gateway: int | None) -> Senders:
    device = np.repeat(np.arange(devices, dtype=np.int32), _SENSORS_PER_DEVICE)
    return Senders(device, np.zeros(devices, np.int32), devices_per_gateway)


def _report(sensors: list[int]) -> Report:
    sensor = np.array(sorted(sensors), np.int32)
    tick = np.arange(len(sensor), dtype=np.int64)
    return Report(sensor, tick, tick, tick / 2, tick.view(np.uint64), 0)


@given(
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 50)),
    st.lists(st.floats(0, 0.999), max_size=60),
)
def test_pieces_hold_every_reading_once_and_belong_to_one_sender(
    devices: int, devices_per_gateway: int | None, places: list[float]
) -> None:
    senders = _senders(devices, devices_per_gateway)
    report = _report([int(p * devices * _SENSORS_PER_DEVICE) for p in places])
    pieces = list(senders.pieces(report))
    assert [i for _, p in pieces for i in range(p.start, p.stop)] == list(range(len(report)))
    for sender, piece in pieces:
        devices_of = report.sensor[piece.start : piece.stop] // _SENSORS_PER_DEVICE
        assert set((devices_of // (devices_per_gateway or 1)).tolist()) == {sender}
    assert len({sender for sender, _ in pieces}) == len(pieces)


def test_gateways_are_spread_over_groups_that_cut_between_senders() -> None:
    senders = _senders(100, 1)
    assert senders.count == 100
    assert len(senders.groups) == 17
    assert (senders.groups % _SENSORS_PER_DEVICE == 0).all()
    assert (senders.groups[0], senders.groups[-1]) == (0, 300)
    sizes = np.diff(senders.groups) // _SENSORS_PER_DEVICE
    assert sizes.max() - sizes.min() <= 1


def test_devices_that_speak_for_themselves_are_one_group() -> None:
    assert _senders(100, None).groups.tolist() == [0, 300]
    assert _senders(100, None).of_device.tolist() == list(range(100))
