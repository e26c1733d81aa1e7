"""Units of measurement as rules need them: whether one is known, and the line between two of them.

The units are pint's. Its registry is made when the first rule asks, with rational numbers: 0 °C is
32 °F and not 31.999999999999936.
"""

import re
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, NamedTuple

LENGTH_MAX = 100
_POWER = re.compile(r"(?<=[^\W\d_])(?:\s*(?:\*\*|\^)\s*-?[1-9](?!\d)|⁻?[¹²³⁴⁵⁶⁷⁸⁹](?![⁰-⁹¹²³]))")
"""One digit behind a name."""
_COMPUTED = re.compile(r"\*\*|\^|[⁰-⁹¹²³⁻]|(?<!\w)(?!1(?!\w|\.))\d|\.\d")
"""What is left of powers, and numbers but for the 1 of 1/h."""


class Line(NamedTuple):
    """y = multiplier · x + offset."""

    multiplier: float
    offset: float


SAME = Line(1.0, 0.0)


def check(unit: str) -> str:
    """The unit as it was given; raises ValueError where it is none that is known."""
    _parsed(unit)
    return unit


@lru_cache(maxsize=1024)
def line_between(given: str, wanted: str) -> Line:
    """How values in one unit become values in another; raises ValueError where they do not.

    A logarithmic unit has no line to another.
    """
    if given == wanted:
        return SAME
    start, end = _parsed(given), _parsed(wanted)
    try:
        zero, one, two = (_converted(x, start, end) for x in (0, 1, 2))
    except Exception:  # pint has many errors, some of which cannot even be shown
        raise ValueError(f'"{given}" cannot be converted to "{wanted}"') from None
    if two - one != one - zero:
        raise ValueError(f'"{given}" and "{wanted}" are not joined by a straight line')
    return Line(float(one - zero), float(zero))


def product(a: str, b: str) -> str:
    """The unit of a product."""
    return _joined(a, "*", b)


def quotient(a: str, b: str) -> str:
    """The unit of a ratio."""
    return _joined(a, "/", b)


def difference(a: str) -> str:
    """The unit of a difference of two values: of 1 °C and 3 °C it is 2 Δ°C, not 2 °C."""
    text = _spelled(a)
    try:
        # pint has a delta for the units with a zero of their own, and for no others.
        delta = f"delta_{_name(text)}"
        _parsed(delta)
    except ValueError:
        return text
    return delta


def _joined(a: str, sign: str, b: str) -> str:
    first, second = _spelled(a), _spelled(b)
    if second == "1":
        return first
    if any(one in second for one in "*/ "):
        second = f"({second})"
    return f"{first}{sign}{second}"


def _spelled(unit: str) -> str:
    text = unit.strip()
    if text.endswith("%RH"):
        return text[:-2]
    return text or "1"


def _name(unit: str) -> str:
    """pint's own name of a unit that is not made of others; raises ValueError for any other."""
    parts = dict(_parsed(unit)._units)
    if list(parts.values()) != [1]:
        raise ValueError(f'"{unit}" is made of others')
    return str(next(iter(parts)))


@lru_cache(maxsize=1024)
def _parsed(unit: str) -> Any:
    # pint computes whatever expression it is given: 9**9**9 would keep it for ever.
    plain = _POWER.sub("", unit)
    if len(unit) > LENGTH_MAX or _COMPUTED.search(plain):
        raise ValueError(f'"{unit[:40]}" is no unit that is known')
    try:
        return _registry().parse_units(_spelled(unit))
    except Exception:
        raise ValueError(f'"{unit}" is no unit that is known') from None


def _converted(value: int, start: Any, end: Any) -> Fraction:
    found = _registry().Quantity(Fraction(value), start).to(end).magnitude
    return found if isinstance(found, Fraction) else Fraction(found)


@cache
def _registry() -> Any:
    import pint  # half a second, which a process without rules need not spend

    return pint.UnitRegistry(non_int_type=Fraction)
