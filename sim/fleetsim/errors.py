"""The simulator's errors.

FleetError
├── PlanError           what a plan asks for cannot be simulated
│   └── RecordingError  a recording is not there, or cannot be read
├── TransportError      a backend cannot be spoken to as it is configured
│   └── ResponseError   what came back is no HTTP response
├── EnrolError          the backend did not register the fleet
└── ShardError          a shard of the fleet is gone or has failed
    └── LedgerError     a reading was lost or counted twice in the fleet's own books
"""


class FleetError(Exception):
    """The fleet cannot do what it was asked for."""


class PlanError(FleetError):
    """What a plan asks for cannot be simulated."""


class RecordingError(PlanError):
    """A recording is not there, or cannot be read."""


class TransportError(FleetError):
    """A backend cannot be spoken to as it is configured."""


class ResponseError(TransportError):
    """What came back is no HTTP response."""


class EnrolError(FleetError):
    """The backend did not register the fleet."""


class ShardError(FleetError):
    """A shard of the fleet is gone or has failed."""


class LedgerError(ShardError):
    """A reading was lost or counted twice in the fleet's own books."""
