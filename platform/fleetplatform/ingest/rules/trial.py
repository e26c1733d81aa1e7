"""What a rule would make of some values, without saving anything."""

import numpy as np

from fleetplatform.errors import InvalidError
from fleetplatform.processing import rules
from fleetplatform.processing.rules import Fit, Flag, Settings
from fleetplatform.wire.resources.processing_rules import RuleTest, TestedRule, TestedValue


def run(test: RuleTest) -> TestedRule:
    """The rule over readings of one sensor; raises what saving such a rule would raise."""
    settings, fit = _fitted(test)
    t_us = _times(test)
    operation = settings.operation()
    operation.reserve(1)
    with np.errstate(all="ignore"):
        inputs = tuple(
            np.array(values, dtype=np.float64) * line.multiplier + line.offset
            for values, line in zip(test.values, fit.inputs, strict=True)
        )
        made = operation.make(np.zeros(len(t_us), dtype=np.int32), t_us, inputs)
        value = made.value * fit.output.multiplier + fit.output.offset
    undefined = ~np.isfinite(value)
    flag = undefined * np.int16(Flag.UNDEFINED)
    if made.partial is not None:
        flag |= made.partial * np.int16(Flag.PARTIAL)
    rows = zip(t_us[made.at].tolist(), value.tolist(), flag.tolist(), strict=True)
    return TestedRule(
        unit=fit.unit,
        values=tuple(
            TestedValue(t_us=t, value=None if bits & Flag.UNDEFINED else one, flag=bits)
            for t, one, bits in rows
        ),
    )


def _fitted(test: RuleTest) -> tuple[Settings, Fit]:
    try:
        settings = rules.parse(test.kind, test.settings)
    except ValueError as error:
        raise InvalidError(str(error), code="invalid_processing_rule") from None
    wanted = settings.input_count
    if len(test.units) != wanted or len(test.values) != wanted:
        raise InvalidError(
            f"units, values: give {wanted}, for a rule of kind {test.kind} has so many inputs",
            code="invalid_processing_rule",
        )
    try:
        return settings, settings.fit(test.units)
    except ValueError as error:
        raise InvalidError(f"units: {error}", code="unit_mismatch") from None


def _times(test: RuleTest) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if any(len(values) != len(test.t_us) for values in test.values):
        raise InvalidError("values: give one for each time, for each input")
    if not all(0 <= t < 1 << 53 for t in test.t_us) or list(test.t_us) != sorted(set(test.t_us)):
        raise InvalidError("t_us: give times in µs since 1970, each later than the one before")
    return np.array(test.t_us, dtype=np.int64)
