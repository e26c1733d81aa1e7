"""What the court found, as the summary says it: of readings, alerts and anomalies."""

from typing import Annotated, Final

from msgspec import Meta

from fleetstorm.results.part import Part, measure

EXAMPLES_MAX: Final = 20


class Alerts(Part, frozen=True, kw_only=True):
    """The alerts that had to come and those that came."""

    expected: Annotated[int, measure("alerts", None, "That the oracle says must come.")]
    raised: Annotated[int, measure("alerts", None, "That the platform raised.")]
    missed: Annotated[int, measure("alerts", "lower", "Expected, and not raised.")]
    false: Annotated[int, measure("alerts", "lower", "Raised, and neither expected nor possible.")]


class Detection(Part, frozen=True, kw_only=True):
    """How well faults were found; docs/anomalies.md says exactly what each number is."""

    faults: Annotated[
        int | None, measure("faults", None, "During which a reading had a score.")
    ] = None
    precision: Annotated[
        float | None, measure("share", "higher", "Of flagged readings, within a fault.")
    ] = None
    recall: Annotated[
        float | None, measure("share", "higher", "Of faults, with a flagged reading.")
    ] = None
    f1: Annotated[
        float | None, measure("share", "higher", "Harmonic mean of precision and recall.")
    ] = None
    delay_s: Annotated[
        float | None, measure("s", "lower", "From fault to first flag, the median.")
    ] = None


class Anomalies(Part, frozen=True, kw_only=True):
    """The platform's anomaly flags against the injected faults."""

    judged: Annotated[int | None, measure("readings", None, "With a score.")] = None
    flagged: Annotated[int | None, measure("readings", None, "Flagged as anomalies.")] = None
    overall: Annotated[Detection | None, Meta(description="Of all kinds of faults.")] = None
    by_fault: Annotated[
        dict[str, Detection] | None, Meta(description="Of each kind, by the sensors that had it.")
    ] = None
    null_detector: Annotated[
        Detection | None, Meta(description="One that never flags.")
    ] = None
    random_detector: Annotated[
        Detection | None, Meta(description="One that flags as many readings at random.")
    ] = None
    f1_above_random: Annotated[
        float | None, measure("share", "higher", "F1 of all faults, less that of the random one.")
    ] = None


class Example(Part, frozen=True, kw_only=True):
    """One reading or alert that is wrong, by name."""

    what: Annotated[
        str,
        Meta(description="lost, unexpected, altered, conflict, calibrated_wrong, alert_missed, …"),
    ]
    sensor_id: str | None = None
    serial: str | None = None
    sensor: str | None = None
    t: Annotated[str | None, Meta(description="Measurement time, RFC 3339.")] = None
    rule: str | None = None
    expected: float | str | None = None
    found: float | str | None = None


class Verification(Part, frozen=True, kw_only=True):
    """What was proven by joining the ledger with the database."""

    lost: Annotated[
        int | None, measure("readings", "lower", "Acknowledged, and not in the table.")
    ] = None
    duplicated: Annotated[
        int | None, measure("readings", "lower", "Rows too many of one reading.")
    ] = None
    altered: Annotated[
        int | None, measure("readings", "lower", "In the table with another value.")
    ] = None
    unexpected: Annotated[
        int | None, measure("readings", "lower", "In the table, and never sent.")
    ] = None
    conflict: Annotated[
        int | None,
        measure("readings", "lower", "Sent again with another value; the first stayed."),
    ] = None
    orphans: Annotated[
        int | None,
        measure("rows", "lower", "Rows without a sensor and device of their tenant."),
    ] = None
    leaks: Annotated[
        int | None,
        measure("rows", "lower", "Readings and alerts of another organization than their device."),
    ] = None
    stray: Annotated[
        int | None,
        measure("readings", "lower", "In a default partition; null where there is none."),
    ] = None
    calibrated_wrong: Annotated[
        int | None, measure("readings", "lower", "Whose calibrated value is not raw × m + o.")
    ] = None
    alerts: Alerts | None = None
    anomalies: Anomalies | None = None
    commands: dict[str, float | bool | None] | None = None
    rollout: dict[str, float | bool | None] | None = None
    notifications: dict[str, float | bool | None] | None = None
    examples: Annotated[
        tuple[Example, ...], Meta(description="The first that are wrong, by name.")
    ] = ()
