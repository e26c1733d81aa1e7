"""What a summary is worth: whether it proves something, and how each of its bars stands."""

from typing import Literal

from fleetstorm.results.summary import BarResult, Summary

Standing = Literal["held", "failed", "not measured", "held so far", "not held so far"]

_GENERATOR_ALONE = ("null", "null_sink")
_CUT_SHORT = ("interrupted", "error")


def generator_alone(summary: Summary) -> bool:
    """Whether there was no platform at all, so that nothing could be stored."""
    return summary.load.transport in _GENERATOR_ALONE


def proven(summary: Summary) -> bool:
    """Whether a verdict of pass rests on a table that was compared with the books."""
    return summary.verification.lost is not None


def standing(summary: Summary, bar: BarResult) -> Standing:
    """How a bar stands; the verdict fails for a bar without a value only if the run was whole."""
    if bar.measured is None:
        return "not measured"
    if summary.verdict in _CUT_SHORT:
        return "held so far" if bar.ok else "not held so far"
    return "held" if bar.ok else "failed"


def counts_against(summary: Summary, bar: BarResult) -> bool:
    """Whether a bar fails its run; a run that was cut short did not get to fail any."""
    return not bar.ok and summary.verdict not in _CUT_SHORT
