"""Processing rules, and the values that they make."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from fleetplatform.wire.resources.body import Body, Name, Reply, Revised

SAMPLES_MAX = 1_000

Inputs = Annotated[tuple["RuleInput", ...], msgspec.Meta(min_length=1, max_length=8)]


class RuleInput(Body, frozen=True, kw_only=True, omit_defaults=True):
    """What a rule takes: sensors of a device by type, by name or one by id, or another rule.

    Without anything: all sensors. With `processing_rule_id` the values that this rule makes.
    """

    sensor_type: Name | None = None
    sensor: Name | None = None
    sensor_id: UUID | None = None
    processing_rule_id: UUID | None = None


class NewProcessingRule(Body, frozen=True, kw_only=True):
    """POST /v1/processing-rules.

    kind, settings: docs/processing-rules.md tells which there are · device_type: only devices
    of this type · output_name: what its values are called; null: as the rule.
    """

    name: Name
    kind: Name
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    inputs: Inputs = (RuleInput(),)
    device_type: Name | None = None
    output_name: Name | None = None
    is_active: bool = True


class ProcessingRuleChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/processing-rules/{processing_rule_id}: what is given changes, the rest stays."""

    name: Name | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    inputs: Inputs | UnsetType = UNSET
    device_type: Name | UnsetType | None = UNSET
    output_name: Name | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class ProcessingRule(Revised, frozen=True, kw_only=True):
    """A processing rule.

    output_units: of what it makes, by the sensors that it spoke of when it was saved; those of a
    device type without devices are not known · created_us: the wall clock.
    """

    organization_id: UUID
    processing_rule_id: UUID
    name: str
    kind: str
    settings: dict[str, Any]
    inputs: tuple[dict[str, Any], ...]
    device_type: str | None
    output_name: str
    output_units: tuple[str, ...]
    is_active: bool
    created_us: int


class ProcessingRules(Reply, frozen=True, kw_only=True):
    """GET /v1/processing-rules, in order of name."""

    processing_rules: tuple[ProcessingRule, ...]
    next_cursor: str | None = None


class RuleTest(Body, frozen=True, kw_only=True):
    """POST /v1/processing-rules/test: readings of one sensor, in order of time.

    units, values: one for each input; of all inputs a value at each time.
    """

    kind: Name
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    units: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=100)], ...],
        msgspec.Meta(min_length=1, max_length=8),
    ]
    t_us: Annotated[tuple[int, ...], msgspec.Meta(min_length=1, max_length=SAMPLES_MAX)]
    values: Annotated[
        tuple[Annotated[tuple[float, ...], msgspec.Meta(max_length=SAMPLES_MAX)], ...],
        msgspec.Meta(min_length=1, max_length=8),
    ]


class TestedValue(Reply, frozen=True, kw_only=True):
    """What a rule makes of a reading; `flag` as in ProcessedValue."""

    t_us: int
    value: float | None
    flag: int


class TestedRule(Reply, frozen=True, kw_only=True):
    """What a rule would make, and its unit."""

    unit: str
    values: tuple[TestedValue, ...]


class ProcessedValue(Reply, frozen=True, kw_only=True):
    """One value that a rule made.

    value: null where it is undefined · flag, bits: 1 undefined, 2 the window held more readings
    than are kept, 4 the reading's quality is not 0, 8 it came late.
    """

    processing_rule_id: UUID
    t_us: int
    value: float | None
    flag: int


class ProcessedValues(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors/{sensor_id}/processed, in order of time."""

    sensor_id: UUID
    values: tuple[ProcessedValue, ...]
    next_cursor: str | None = None
