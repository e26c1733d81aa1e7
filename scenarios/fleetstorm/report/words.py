"""Numbers as people read them."""

NOTHING = "—"


def count(value: float | None) -> str:
    """A whole number with separators."""
    return NOTHING if value is None else f"{round(value):,}"


def counted(value: int | None, noun: str) -> str:
    """A number of things, by name."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def rate(value: float | None) -> str:
    """A number a second."""
    return NOTHING if value is None else f"{value:,.0f}/s"


def ms(value: float | None) -> str:
    """Milliseconds, with as many digits as say something."""
    if value is None:
        return NOTHING
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def size(value: float | None) -> str:
    """Bytes in the largest unit that leaves a number above one."""
    if value is None:
        return NOTHING
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:,.3g} {unit}" if value < 1000 * factor else f"{value:,.0f} B"
    return f"{value:.4g} B"


def seconds(value: float | None) -> str:
    """A duration."""
    if value is None:
        return NOTHING
    if value >= 3600:
        return f"{value // 3600:.0f} h {value % 3600 / 60:.0f} min"
    if value >= 120:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    return f"{value:,.3g} s"


def share(value: float | None) -> str:
    """A part of one, in percent."""
    return NOTHING if value is None else f"{value:.1%}"


def yes_no(value: bool | None) -> str:
    """On or off."""
    return NOTHING if value is None else "on" if value else "off"


def value(measured: float | bool | str | None) -> str:
    """Any measured value, without a unit."""
    if measured is None:
        return "not measured"
    if isinstance(measured, bool):
        return str(measured).lower()
    return measured if isinstance(measured, str) else f"{measured:,.6g}"
