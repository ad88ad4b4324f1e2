from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.gate import Outcome
from pytest_anchorgate.report import plots
from pytest_anchorgate.report.html import render_html
from pytest_anchorgate.report.page import Page
from tests import reports, rows
from tests.pages import document


def test_a_bar_stands_within_its_track() -> None:
    report = reports.refused()
    for line in Page(report).suites():
        bar = line.bar
        assert 0 <= bar.low <= bar.rate <= bar.high <= plots.BAR


def test_margins_stand_most_fragile_first_on_a_logarithmic_axis() -> None:
    plot = Page(reports.refused()).margins()
    assert plot is not None
    assert [dot.name for dot in plot.named[:3]] == ["MBPP/17", "MBPP/20", "MBPP/23"]
    assert [dot.margin for dot in plot.named] == sorted(dot.margin for dot in plot.named)
    assert len(plot.named) == plots.NAMED_MARGINS
    assert len(plot.others) == 6
    assert [tick.label for tick in plot.ticks] == ["0.001", "0.01", "0.1", "1", "10"]
    gaps = {round(b.at - a.at) for a, b in pairwise(plot.ticks)}
    assert gaps == {140}


@pytest.mark.parametrize("margin", [0.0, 1e-30, 1e-3, 1.0, 1e9, float("inf")])
def test_any_margin_stands_on_the_axis(margin: float) -> None:
    kept = [rows.row("anchor:a", Outcome.KEPT, margin=m) for m in (margin, 0.5)]
    plot = plots.margin_plot(kept)
    assert plot is not None
    for dot in plot.named:
        assert plot.left <= dot.x <= plot.left + plots.DOT_WIDTH
    assert len(plot.ticks) < 20
    assert document(reports.report_of(tuple(kept[:1])))


def test_attempts_are_marked_by_shape_and_their_names_do_not_overlap() -> None:
    history = [rows.attempt(f"v{k}.planck", anchors_kept=18) for k in range(12)]
    found = plots.scatter([*history, *reports.HISTORY], reports.HISTORY[-1])
    assert found is not None
    places = [point.label_at for point in found.points if point.label_at]
    assert len(set(places)) == len(places) == 16
    assert all(0 < y <= plots.SCATTER_HEIGHT for _, y in places)
    assert Counter(point.shape for point in found.points) == {"refused": 15, "accepted": 1}
    assert [point.current for point in found.points] == [False] * 15 + [True]
    assert [tick.label for tick in found.y_ticks] == ["0", "5", "10", "15", "20"]


@given(st.integers(0, 10**7))
def test_an_axis_reaches_its_greatest_value_in_few_round_steps(gained: int) -> None:
    found = plots.scatter([rows.attempt("v.planck", gained=gained)], None)
    assert found is not None
    values = [int(tick.label) for tick in found.y_ticks]
    assert values[0] == 0
    assert values[-2] < max(gained, 1) <= values[-1]
    assert len(values) <= 6


def test_attempts_without_anchors_are_in_no_plot() -> None:
    tried = rows.attempt("v.planck", anchors=0, anchors_kept=0)
    assert plots.scatter([tried], None) is None
    assert "not measured" in render_html(reports.report_of((), history=(tried,)))
