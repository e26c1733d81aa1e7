"""What the platform answers to readings."""

from fleetplatform.wire.resources.body import Reply


class Receipt(Reply, frozen=True, kw_only=True):
    """The reply to POST /v1/readings, sent only after commit."""

    accepted: int
    duplicates: int
    rejected_total: int
    rejected: tuple["RejectedReading", ...] = ()


class RejectedReading(Reply, frozen=True, kw_only=True):
    """One reading that was not taken: its index in the request and why."""

    index: int
    code: str
    detail: str
