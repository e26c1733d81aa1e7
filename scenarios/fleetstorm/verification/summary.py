"""What the court found, as a part of summary.json."""

from fleetstorm.results.summary import EXAMPLES_MAX, Alerts, Anomalies, Verification
from fleetstorm.verification.alerts import AlertsVerdict
from fleetstorm.verification.readings import ReadingsVerdict


def summarise(
    readings: ReadingsVerdict,
    alerts: AlertsVerdict | None,
    anomalies: Anomalies | None,
    conflicts: int | None,
) -> Verification:
    """The part `verification`; `alerts` is None for a run without rules, `anomalies` for one
    without faults.

    The table shows no conflict, for the first value stays: `conflicts` the platform has counted.
    """
    examples = readings.examples + (alerts.examples if alerts else ())
    return Verification(
        lost=readings.lost,
        duplicated=readings.duplicated,
        altered=readings.altered,
        unexpected=readings.unexpected,
        conflict=conflicts,
        orphans=readings.orphans,
        leaks=readings.leaks,
        calibrated_wrong=readings.calibrated_wrong,
        alerts=_counts(alerts) if alerts else None,
        anomalies=anomalies,
        examples=examples[:EXAMPLES_MAX],
    )


def _counts(alerts: AlertsVerdict) -> Alerts:
    return Alerts(
        expected=alerts.expected, raised=alerts.raised, missed=alerts.missed, false=alerts.false
    )
