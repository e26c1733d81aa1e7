"""The drawings of a report: static SVG, whose colours follow the page's light or dark."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from fleetstorm.report.blocks import Chart
from fleetstorm.report.recordings import Counts, Series

_WIDTH, _HEIGHT = 720, 220
_CHARACTER_PX = 7

# Stand-ins that no other part of a drawing uses; in the page each is a variable of its style.
_COLOURS = {
    "#0a0001": "--ink",
    "#0a0002": "--muted",
    "#0a0003": "--line",
    "#0a0011": "--chart-1",
    "#0a0012": "--chart-2",
    "#0a0013": "--chart-3",
    "#0a0014": "--chart-4",
    "#0a0015": "--chart-5",
}
_INK, _MUTED, _LINE, *_PALETTE = _COLOURS


def lines(
    title: str, says: str, y_title: str, named: Mapping[str, Series], *, unit_format: str = "~s"
) -> Chart:
    """Several series over the seconds of the load."""
    rows = _rows(named)
    drawn = _base(rows).mark_line(strokeWidth=1.8)
    drawn = drawn.encode(
        x=_time(),
        y=alt.Y("value:Q", title=y_title, axis=alt.Axis(format=unit_format)),
        color=_colour(list(named)),
    )
    return Chart(title, says, _svg(drawn))


def areas(title: str, says: str, y_title: str, named: Mapping[str, Series]) -> Chart:
    """Series on top of each other, whose sum matters; all are taken at the first one's times."""
    times = next(iter(named.values())).t_s
    aligned = {
        name: Series(times, np.interp(times, one.t_s, one.value)) for name, one in named.items()
    }
    drawn = _base(_rows(aligned)).mark_area(opacity=0.85)
    drawn = drawn.encode(
        x=_time(),
        y=alt.Y("value:Q", title=y_title, stack="zero"),
        color=_colour(list(named), "square"),
        order=alt.Order("rank:Q"),
    )
    return Chart(title, says, _svg(drawn))


def distribution(title: str, says: str, counts: Counts, marks: Mapping[str, float]) -> Chart:
    """A histogram on a log scale in ms, with some of its percentiles as upright lines."""
    total = max(1, int(counts.count.sum()))
    room_for_names = 1.12 * int(counts.count.max()) / total
    rows = [
        {"lower": lower, "upper": upper, "share": count / total}
        for lower, upper, count in zip(
            counts.lower.tolist(), counts.upper.tolist(), counts.count.tolist(), strict=True
        )
        if count
    ]
    scale = alt.Scale(type="log", nice=False)
    bars = _base(rows).mark_bar(color=_PALETTE[0], opacity=0.85).encode(
        x=alt.X("lower:Q", scale=scale, title="milliseconds (log scale)",
                axis=alt.Axis(format="~g", tickCount=8)),
        x2="upper:Q",
        y=alt.Y("share:Q", title="share of readings", axis=alt.Axis(format=".0%"),
                scale=alt.Scale(domain=[0, room_for_names], nice=False)),
        y2=alt.datum(0),
    )  # fmt: skip
    points = [{"at": at, "name": name} for name, at in marks.items() if at > 0]
    base = alt.Chart(alt.Data(values=points))
    rules = base.mark_rule(color=_PALETTE[1], strokeDash=[4, 3]).encode(
        x=alt.X("at:Q", scale=scale)
    )
    labels = base.mark_text(
        color=_PALETTE[1], align="left", dx=4, baseline="top", fontWeight=600
    ).encode(x=alt.X("at:Q", scale=scale), y=alt.value(2), text="name:N")
    return Chart(title, says, _svg(bars + rules + labels))


def bars(title: str, says: str, x_title: str, named: Mapping[str, float]) -> Chart:
    """Lying bars, one a name, with their numbers."""
    rows = [{"name": name, "value": value} for name, value in named.items()]
    # Drawn with whatever font the page is read in, so room is left for a wide one.
    room = _CHARACTER_PX * max(len(name) for name in named)
    names = alt.Axis(labelLimit=room, minExtent=room)
    base = _base(rows, height=34 * len(rows) + 10).encode(
        y=alt.Y("name:N", sort=list(named), title=None, axis=names),
        x=alt.X("value:Q", title=x_title),
    )
    labels = base.mark_text(align="left", dx=5, color=_INK).encode(
        text=alt.Text("value:Q", format=",.1f")
    )
    drawn = base.mark_bar(color=_PALETTE[0], opacity=0.85, height={"band": 0.62}) + labels
    return Chart(title, says, _svg(drawn))


def _rows(named: Mapping[str, Series]) -> list[dict[str, Any]]:
    return [
        {"t": round(t, 3), "value": float(f"{value:.6g}"), "name": name, "rank": rank}
        for rank, (name, one) in enumerate(named.items())
        for t, value in zip(one.thinned().t_s.tolist(), one.thinned().value.tolist(), strict=True)
    ]


def _base(rows: Sequence[Mapping[str, Any]], height: int = _HEIGHT) -> Any:
    return alt.Chart(alt.Data(values=rows)).properties(width=_WIDTH, height=height)


def _time() -> Any:
    return alt.X(
        "t:Q",
        title="seconds since the load began",
        axis=alt.Axis(format="~f"),
        scale=alt.Scale(nice=False),
    )


def _colour(names: list[str], symbol: str = "stroke") -> Any:
    scale = alt.Scale(domain=names, range=[_PALETTE[i % len(_PALETTE)] for i in range(len(names))])
    legend = alt.Legend(title=None, orient="top", direction="horizontal", symbolType=symbol)
    return alt.Color("name:N", scale=scale, legend=legend if len(names) > 1 else None)


def _svg(drawn: Any) -> str:
    """Draw, and put the page's colours in place of the stand-ins."""
    styled = drawn.configure(
        background="transparent",
        font="system-ui, sans-serif",
        padding={"left": 2, "right": 12, "top": 4, "bottom": 2},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=_MUTED, titleColor=_MUTED, gridColor=_LINE, domainColor=_LINE,
            tickColor=_LINE, labelFontSize=11, titleFontSize=11, titleFontWeight="normal",
            titlePadding=8,
        ),
        axisX=alt.AxisConfig(grid=False),
        legend=alt.LegendConfig(labelColor=_INK, labelFontSize=12, symbolStrokeWidth=3),
        text=alt.MarkConfig(fontSize=11),
    )  # fmt: skip
    version = vl_convert.get_vegalite_versions()[-1]
    svg: str = vl_convert.vegalite_to_svg(styled.to_dict(), vl_version=version)
    for stand_in, variable in _COLOURS.items():
        svg = svg.replace(f'"{stand_in}"', f'"var({variable})"')
    # The page says what a drawing shows; inside it a screen reader would meet hundreds of marks.
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
