"""How the organizations of a fleet fared beside each other, in windows of five seconds.

An organization is *noisy* in a window in which it offers more than twice its quota of readings; a
window is noisy if any organization is. Those that never are, are the quiet ones: what their
response times are in noisy windows and in all others says what a noisy neighbour costs them.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from fleetplatform.wire.clock import ClockLaw
from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.report import OrganizationSample, Sample
from fleetstorm.results.summary import OrganizationFigures, Tenants

WINDOW_S = 5.0
NOISY_OVER = 2.0
WINDOWS_MAX = 20_000
"""The newest are kept: more than a day."""

OnFigure = Callable[[str, float, str], None]
"""Takes a metric, its value and the organization, once a window."""


@dataclass(frozen=True)
class Window:
    """What happened in some seconds; everything by organization, p99_ms None without an answer."""

    seconds: float
    emitted: list[int]
    acknowledged: list[int]
    p99_ms: list[float | None]


@dataclass
class _Totals:
    """One organization over the whole run; `stored` by the end of the load."""

    emitted: int = 0
    stored: int = 0
    dropped: int = 0
    refused: int = 0
    response: Histogram = field(default_factory=Histogram)


class TenantRecorder:
    """record … → summary. Of a fleet of one organization there is nothing to say.

    names, quotas: of the organizations, in the fleet's order; a quota in readings a second.
    """

    def __init__(self, names: Sequence[str], quotas: Sequence[float | None]) -> None:
        self._names = list(names)
        self._quotas = list(quotas)
        self._totals = [_Totals() for _ in names]
        self._windows: deque[Window] = deque(maxlen=WINDOWS_MAX)
        self._open = [OrganizationSample() for _ in names]
        self._begin_s = self._until_s = 0.0

    def record(self, sample: Sample, law: ClockLaw, on_figure: OnFigure) -> None:
        """Take a sample; what comes while draining counts in no window."""
        if len(self._names) < 2 or law.speed <= 0:
            return
        until_s = (sample.virtual_us - law.virtual_anchor_us) / law.speed / 1e6
        loaded = until_s > self._until_s
        for total, one in zip(self._totals, sample.organizations, strict=True):
            total.emitted += one.emitted
            total.stored += one.acknowledged if loaded else 0
            total.dropped += one.dropped
            total.refused += one.refused
            total.response.merge(one.response)
        if loaded:
            self._add(sample.organizations, until_s, on_figure)

    def _add(
        self, organizations: Sequence[OrganizationSample], until_s: float, on_figure: OnFigure
    ) -> None:
        for window, one in zip(self._open, organizations, strict=True):
            window.emitted += one.emitted
            window.acknowledged += one.acknowledged
            window.refused += one.refused
            window.response.merge(one.response)
        self._until_s = until_s
        # Samples end where steps of the timeline do, but for the rounding of virtual time.
        if until_s - self._begin_s >= WINDOW_S - 1e-3:
            self._close(on_figure)

    def _close(self, on_figure: OnFigure) -> None:
        seconds, opened = self._until_s - self._begin_s, self._open
        window = Window(
            seconds,
            [one.emitted for one in opened],
            [one.acknowledged for one in opened],
            [_p99_ms(one.response) for one in opened],
        )
        self._windows.append(window)
        for i, name in enumerate(self._names):
            on_figure("tenants.offered_per_s", opened[i].emitted / seconds, name)
            on_figure("tenants.stored_per_s", opened[i].acknowledged / seconds, name)
            on_figure("tenants.refused_per_s", opened[i].refused / seconds, name)
            p99_ms = window.p99_ms[i]
            if p99_ms is not None:
                on_figure("tenants.response_ms.p99", p99_ms, name)
        self._begin_s = self._until_s
        self._open = [OrganizationSample() for _ in self._names]

    def summary(self) -> Tenants | None:
        """The part `tenants` of the summary; None where there are not several organizations."""
        if len(self._names) < 2 or self._until_s <= 0:
            return None
        noisy_in = [[self._is_noisy(i, w) for i in range(len(self._names))] for w in self._windows]
        ever = {i for i in range(len(self._names)) if any(row[i] for row in noisy_in)}
        calm = [w for w, row in zip(self._windows, noisy_in, strict=True) if not any(row)]
        loud = [w for w, row in zip(self._windows, noisy_in, strict=True) if any(row)]
        quiet = [i for i in range(len(self._names)) if i not in ever]
        base, beside = _p99s(calm, quiet), _p99s(loud, quiet)
        both = base is not None and beside is not None and base > 0
        pressed = [self._pressed(i, noisy_in) for i in sorted(ever)]
        return Tenants(
            windows_quiet=len(calm),
            windows_noisy=len(loud),
            quiet_p99_ms=beside,
            quiet_p99_base_ms=base,
            quiet_p99_rise=beside / base if both and beside and base else None,
            noisy_over_quota=max((stored for _, stored in pressed), default=None),
            noisy_offered_over_quota=min((offered for offered, _ in pressed), default=None),
            organizations=tuple(
                self._figures(i, calm, loud, noisy=i in ever) for i in range(len(self._names))
            ),
        )

    def _is_noisy(self, organization: int, window: Window) -> bool:
        quota = self._quotas[organization] or math.inf
        return window.emitted[organization] > NOISY_OVER * quota * window.seconds

    def _pressed(self, organization: int, noisy_in: list[list[bool]]) -> tuple[float, float]:
        """Offered and stored by the quota, over the windows in which an organization is noisy."""
        windows = [
            w for w, row in zip(self._windows, noisy_in, strict=True) if row[organization]
        ]
        due = sum(w.seconds for w in windows) * (self._quotas[organization] or math.inf)
        offered = sum(w.emitted[organization] for w in windows)
        return offered / due, sum(w.acknowledged[organization] for w in windows) / due

    def _figures(
        self, i: int, calm: list[Window], loud: list[Window], *, noisy: bool
    ) -> OrganizationFigures:
        total = self._totals[i]
        return OrganizationFigures(
            organization=self._names[i],
            noisy=noisy,
            quota_per_s=self._quotas[i],
            offered_per_s=total.emitted / self._until_s,
            stored_per_s=total.stored / self._until_s,
            refused=total.refused,
            dropped=total.dropped,
            response_p99_ms=_p99_ms(total.response),
            response_p99_quiet_ms=_p99s(calm, [i]),
            response_p99_noisy_ms=_p99s(loud, [i]),
        )


def _p99_ms(histogram: Histogram) -> float | None:
    value_us = histogram.percentile(99)
    return None if value_us is None else value_us / 1000


def _p99s(windows: Sequence[Window], organizations: Sequence[int]) -> float | None:
    """The median of some organizations' p99 over windows."""
    values = [w.p99_ms[i] for w in windows for i in organizations]
    known = [value for value in values if value is not None]
    return median(known) if known else None
