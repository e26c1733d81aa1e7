"""The live view, on a terminal and in a log."""

import io

import numpy as np
from rich.console import Console

from fleetsim.ledger.report import Sample
from fleetstorm.progress import View, figures_of


def _sample() -> Sample:
    sample = Sample(emitted=2000, buffered=7)
    sample.response.add(np.full(100, 42_000))
    sample.schedule_lag.add(np.full(100, 1_500))
    return sample


def test_figures_are_of_one_second_and_say_nothing_where_nothing_is_known() -> None:
    cells = figures_of(
        _sample(), 2.0, elapsed_s=3.0, duration_s=60.0, stored=123_456, alerts=None
    ).cells()
    assert cells["time"] == "3 of 60 s"
    assert cells["rate"] == "1,000/s"
    assert cells["lag p99"] == "1.5 ms"
    assert cells["response p99"] == "42 ms"
    assert cells["stored"] == "123,456"
    assert cells["alerts"] == "–"


def test_a_log_gets_plain_lines_now_and_then() -> None:
    log = io.StringIO()
    with View(Console(file=log, width=200)) as view:
        view.phase("storm")
        for _ in range(50):
            view.show(figures_of(_sample(), 2.0, elapsed_s=3, duration_s=6, stored=9, alerts=1))
        view.phase("drain")
    lines = log.getvalue().splitlines()
    assert lines[0] == "storm …"
    assert len([line for line in lines if "rate 1,000/s" in line]) == 1
    assert lines[-1] == "drain …"
    assert "\x1b" not in log.getvalue()


def test_a_terminal_keeps_a_line_for_every_phase_that_is_over() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=120, force_terminal=True)
    with View(console) as view:
        view.phase("start")
        view.phase("storm")
        view.show(figures_of(_sample(), 2.0, elapsed_s=3, duration_s=6, stored=9, alerts=1))
    assert "start" in screen.getvalue()
    assert "✓" in screen.getvalue()
