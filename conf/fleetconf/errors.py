"""What can be wrong with a configuration.

FleetconfError
├── UnitError      a quantity that cannot be read: "10" where a duration is due
├── KindError      a folder of kinds, or one kind in it, that does not exist
└── ConfigError    a tree that does not fit: file, key, value, what is expected, the nearest key
"""


class FleetconfError(ValueError):
    """A configuration, or a part of one, cannot be used."""


class UnitError(FleetconfError):
    """A quantity cannot be read."""


class KindError(FleetconfError):
    """No kind has that name."""


class ConfigError(FleetconfError):
    """A configuration does not fit its types; `problems` holds one sentence for each fault."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
