"""Quantities as people write them: "10s", "20k/s", "5%", "64MiB".

A field of a settings struct says its unit by its type; `convert` reads the unit from the type and
refuses a bare number where a unit is due.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from msgspec import Meta

from fleetconf.errors import UnitError

Duration = Annotated[float, Meta(extra={"unit": "duration"})]
"""Seconds. Written with us, ms, s, m, h or d, parts may be joined: "1h30m"."""
Rate = Annotated[float, Meta(extra={"unit": "rate"})]
"""Per second. Written "20k/s", "300/m", "5/h"."""
Share = Annotated[float, Meta(extra={"unit": "share"}, ge=0, le=1)]
"""A part of one. Written "5%"."""
Size = Annotated[int, Meta(extra={"unit": "size"}, ge=0)]
"""Bytes. Written "64MiB", "10MB", "512B"."""
Count = Annotated[int, Meta(extra={"unit": "count"}, ge=0)]
"""A number of things; "20k" and "1M" are understood, and so is a bare number."""
Instant = Annotated[int, Meta(extra={"unit": "instant"})]
"""Microseconds since 1970 in UTC. Written in RFC 3339 with a zone, or "now"."""

_DURATIONS_US = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1000,
    "us": 1,
}
_PERIODS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZES = {
    "TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10,
    "TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 1000, "KB": 1000, "B": 1,
}  # fmt: skip
_MULTIPLES = {"M": 1_000_000, "k": 1000, "": 1}
_NUMBER = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Unit(NamedTuple):
    """How one unit is read and written, and how to tell a user about it."""

    noun: str
    example: str
    parse: Callable[[str], float | int | None]
    format: Callable[[float], str]
    bare: bool = False


def parse(value: str | float | None, unit: str) -> float | int | None:
    """A quantity as a number in the base unit of `unit`.

    duration: seconds · rate: per second · share: a part of one · size: bytes · count: a whole
    number · instant: µs since 1970. None only for the
    instant "now". Raises UnitError, a phrase such as `10 has no unit; write a duration such as …`.
    """
    rule = _UNITS[unit]
    text = "null" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(
            f"{text.lower()} is not {rule.noun}; write {rule.noun} such as {rule.example}"
        )
    written = str(value).strip()
    if written.startswith("-"):
        raise UnitError(f"{text} is negative; write {rule.noun} such as {rule.example}")
    if re.fullmatch(_NUMBER, written) and not rule.bare:
        hint = _sexagesimal(value, unit)
        raise UnitError(f"{text} has no unit; write {rule.noun} such as {rule.example}{hint}")
    try:
        return rule.parse(written)
    except (ValueError, KeyError, OverflowError):
        message = f"{text} is not {rule.noun}; write {rule.noun} such as {rule.example}"
        raise UnitError(message) from None


def format(value: float, unit: str) -> str:
    """A number in the base unit as people write it, in the largest unit that leaves it whole."""
    return _UNITS[unit].format(value)


def rounded(seconds: float) -> str:
    """A duration to read, where `format` is one to read back: three significant figures."""
    exact = format(seconds, "duration")
    if len(exact.rstrip("dhmsu")) <= 3:
        return exact
    names = [u for u, factor in _DURATIONS_US.items() if seconds * 1_000_000 >= factor]
    unit = names[0] if names else "us"
    return f"{float(f'{seconds * 1_000_000 / _DURATIONS_US[unit]:.3g}'):g}{unit}"


def _sexagesimal(value: object, unit: str) -> str:
    """YAML reads 1:30 as ninety: a user who wrote that should hear of it."""
    if unit != "duration" or not isinstance(value, int) or value < 60:
        return ""
    return f" (YAML reads {value // 60}:{value % 60:02d} as {value})"


def _parse_duration(text: str) -> float:
    parts = re.findall(rf"({_NUMBER})\s*(us|µs|ms|s|m|h|d)", text)
    if not re.fullmatch(rf"(?:{_NUMBER}\s*(?:us|µs|ms|s|m|h|d)\s*)+", text):
        raise ValueError(text)
    return sum(float(n) * _DURATIONS_US[u.replace("µ", "u")] for n, u in parts) / 1_000_000


def _parse_rate(text: str) -> float:
    number, multiple, period = _match(rf"({_NUMBER})\s*([kM]?)\s*/\s*([smhd])", text)
    return float(number) * _MULTIPLES[multiple] / _PERIODS_S[period]


def _parse_share(text: str) -> float:
    (number,) = _match(rf"({_NUMBER})\s*%", text)
    return float(number) / 100


def _parse_size(text: str) -> int:
    number, unit = _match(rf"({_NUMBER})\s*([TGMKk]?i?B)", text)
    return _whole(float(number) * _SIZES[unit])


def _parse_count(text: str) -> int:
    number, multiple = _match(rf"({_NUMBER})\s*([kM]?)", text)
    if number.isdigit():
        return int(number) * _MULTIPLES[multiple]
    return _whole(float(number) * _MULTIPLES[multiple])


def _parse_instant(text: str) -> int | None:
    if text == "now":
        return None
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(text)
    # Whole microseconds, where total_seconds() would round beyond 2^53.
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _match(pattern: str, text: str) -> tuple[str, ...]:
    match = re.fullmatch(pattern, text)
    if match is None:
        raise ValueError(text)
    return match.groups()


def _whole(number: float) -> int:
    if abs(number - round(number)) > 1e-9 * max(1.0, number):
        raise ValueError(number)
    return round(number)


def _format_duration(value: float) -> str:
    microseconds = round(value * 1_000_000)
    if microseconds == 0:
        return "0s" if value == 0 else f"{value * 1_000_000:.12g}us"
    unit = next(u for u, factor in _DURATIONS_US.items() if microseconds % factor == 0)
    return f"{microseconds // _DURATIONS_US[unit]}{unit}"


def _format_rate(value: float) -> str:
    multiple = next(m for m, factor in _MULTIPLES.items() if factor == 1 or value >= factor)
    return f"{value / _MULTIPLES[multiple]:.12g}{multiple}/s"


def _format_share(value: float) -> str:
    return f"{value * 100:.12g}%"


def _format_size(value: float) -> str:
    binary = ("TiB", "GiB", "MiB", "KiB", "B")
    unit = next(u for u in binary if value and value % _SIZES[u] == 0) if value else "B"
    return f"{int(value) // _SIZES[unit]}{unit}"


def _format_instant(value: float) -> str:
    instant = _EPOCH + timedelta(microseconds=int(value))
    return instant.isoformat().replace("+00:00", "Z")


_UNITS = {
    "duration": _Unit("a duration", "10s, 500ms or 2m", _parse_duration, _format_duration),
    "rate": _Unit("a rate", "20k/s, 300/m or 5/h", _parse_rate, _format_rate),
    "share": _Unit("a percentage", "5%", _parse_share, _format_share),
    "size": _Unit("a size", "64MiB, 10MB or 512B", _parse_size, _format_size),
    "count": _Unit("a count", "500, 20k or 1M", _parse_count, lambda v: str(int(v)), bare=True),
    "instant": _Unit(
        "an instant", '2026-06-01T00:00:00Z, or "now"', _parse_instant, _format_instant
    ),
}
