"""The simulator's errors.

FleetError
├── TransportError      a backend cannot be spoken to as it is configured
│   └── ResponseError   what came back is no HTTP response
├── EnrolError          the backend did not register the fleet
└── ShardError          a shard of the fleet is gone or has failed
"""


class FleetError(Exception):
    """The fleet cannot do what it was asked for."""


class TransportError(FleetError):
    """A backend cannot be spoken to as it is configured."""


class ResponseError(TransportError):
    """What came back is no HTTP response."""


class EnrolError(FleetError):
    """The backend did not register the fleet."""


class ShardError(FleetError):
    """A shard of the fleet is gone or has failed."""
