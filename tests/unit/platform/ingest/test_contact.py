"""Last contact, between two times that it is written down."""

import numpy as np

from fleetplatform.ingest.contact import LastContact


def devices(*indexes: int) -> np.ndarray:
    return np.array(indexes, dtype=np.int32)


def test_each_device_is_given_once_with_its_newest_time():
    contact = LastContact()
    contact.note(devices(3, 5, 3), 10)
    contact.note(devices(), 11)
    contact.note(devices(5, 900), 12)
    taken, seen = contact.take()
    assert (taken.tolist(), seen.tolist()) == ([3, 5, 900], [10, 12, 12])
    assert contact.take()[0].tolist() == []


def test_what_could_not_be_written_is_given_again_unless_it_is_older():
    contact = LastContact()
    contact.note(devices(1, 2), 10)
    taken = contact.take()
    contact.note(devices(2), 20)
    contact.give_back(*taken)
    again, seen = contact.take()
    assert (again.tolist(), seen.tolist()) == ([1, 2], [10, 20])
