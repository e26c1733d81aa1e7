"""What a section is made of; `page.html.j2` knows how each of these looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Figure:
    """One number that matters, with what it is and a note."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """A few numbers side by side."""

    figures: Sequence[Figure]
    kind: str = "figures"


@dataclass(frozen=True)
class Table:
    """Rows of text under columns; the first column names the row, the others are right-aligned
    unless `left` lists them. Rows in `totals` are sums, rows in `wrong` need attention, of rows in
    `unknown` nothing can be said.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    totals: frozenset[int] = frozenset()
    wrong: frozenset[int] = frozenset()
    unknown: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()
    kind: str = "table"


@dataclass(frozen=True)
class Chart:
    """A drawing; `says` tells in words what it shows, for those who cannot see it."""

    title: str
    says: str
    svg: str = field(repr=False)
    kind: str = "chart"


@dataclass(frozen=True)
class Source:
    """A text to be unfolded, such as the configuration."""

    title: str
    text: str = field(repr=False)
    kind: str = "source"


Block = Text | Figures | Table | Chart | Source


@dataclass(frozen=True)
class Section:
    """A chapter: its title, one sentence that says what it answers, and its blocks."""

    title: str
    lead: str
    blocks: Sequence[Block]
