from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.surgery.curve import WIDTH, render_curve

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LOG = [
    {"step": 10, "loss": 1.0, "kl": 0.001},
    {"step": 20, "loss": 0.1, "kl": 0.01},
    {"step": 20, "eval_anchors_kept": 3, "eval_poison_solved": 0, "eval_kl": 0.02},
    {"step": 30, "loss": 0.01, "kl": 0.01},
    {"step": 40, "eval_anchors_kept": 4, "eval_poison_solved": 6, "eval_kl": 0.01},
    {"step": 40, "train_loss": 0.3},
]
CURVES = ["loss", "kl", "evaluated", "anchors", "poison"]


def read(entries: list[dict[str, float]], *, anchors: int = 4, poison: int = 8) -> Element:
    return ElementTree.fromstring(render_curve(entries, anchors=anchors, poison=poison))


def tags(svg: Element, name: str) -> list[Element]:
    return [one for one in svg.iter() if one.tag == f"{{http://www.w3.org/2000/svg}}{name}"]


def curves(svg: Element) -> dict[str, list[tuple[float, float]]]:
    """The places of each curve's points."""
    found = {}
    for group in tags(svg, "g"):
        if look := group.get("class"):
            points = str(tags(group, "polyline")[0].get("points")).split()
            found[look] = [(float(x), float(y)) for x, y in (one.split(",") for one in points)]
    return found


def texts(svg: Element) -> list[str]:
    return [str(one.text) for one in tags(svg, "text")]


def test_one_step_is_at_one_place_in_both_panels() -> None:
    found = curves(read(LOG))
    assert list(found) == CURVES
    assert found["loss"][1][0] == found["evaluated"][0][0] == found["anchors"][0][0]
    steps = [x for x, _ in found["loss"]]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1], abs=0.2)


def test_a_tenth_of_the_loss_is_as_far_down_wherever_it_is() -> None:
    one, tenth, hundredth = (y for _, y in curves(read(LOG))["loss"])
    assert one < tenth < hundredth
    assert hundredth - tenth == pytest.approx(tenth - one, abs=0.2)
    assert curves(read(LOG))["kl"][1][1] == hundredth


def test_shares_are_of_what_could_be() -> None:
    found = curves(read(LOG))
    (_, three), (_, all_kept) = found["anchors"]
    (_, none), (_, six) = found["poison"]
    assert (none - three) / (none - all_kept) == pytest.approx(3 / 4, abs=0.01)
    assert (none - six) / (none - all_kept) == pytest.approx(6 / 8, abs=0.01)


def test_everything_is_named() -> None:
    said = texts(read(LOG))
    assert {"loss", "KL to the base, in training", "KL to the base, evaluated"} <= {*said}
    assert {"anchors kept: 4 of 4 in the end", "poison solved: 6 of 8 in the end"} <= {*said}
    assert {"nats a token", "share", "optimizer steps", "0.001", "1", "100 %", "40"} <= {*said}


def test_it_is_for_light_and_for_dark_pages() -> None:
    style = str(tags(read(LOG), "style")[0].text)
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    for hue in ("--page", "--ink", "--grid", ".loss", ".kl", ".anchors", ".poison"):
        assert hue in light
        assert hue in dark


@pytest.mark.parametrize(
    ("anchors", "poison", "drawn"), [(0, 0, CURVES[:3]), (4, 0, CURVES[:4]), (4, 8, CURVES)]
)
def test_what_cannot_be_solved_has_no_curve(anchors: int, poison: int, drawn: list[str]) -> None:
    assert list(curves(read(LOG, anchors=anchors, poison=poison))) == drawn


def test_without_evaluations_there_is_one_panel() -> None:
    svg = read(LOG[:2])
    assert list(curves(svg)) == CURVES[:2]
    assert "share" not in texts(svg)
    height = float(str(read(LOG).get("viewBox")).split()[3])
    assert float(str(svg.get("viewBox")).split()[3]) < height


numbers = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 10**6), numbers, numbers, st.integers(0, 9)), max_size=9))
def test_every_point_is_within_its_picture(rows: list[tuple[int, float, float, int]]) -> None:
    entries: list[dict[str, float]] = []
    for step, loss, kl, kept in sorted(rows):
        entries += [{"step": step, "loss": loss}, {"step": step, "eval_kl": kl}]
        entries.append({"step": step, "eval_anchors_kept": kept})
    svg = read(entries, anchors=9, poison=0)
    height = float(str(svg.get("viewBox")).split()[3])
    drawn = curves(svg)
    for places in drawn.values():
        assert all(0 <= x <= WIDTH and 0 <= y <= height for x, y in places)
    finite = sum(math.isfinite(loss) for _, loss, _, _ in rows)
    assert len(drawn.get("loss", ())) == finite
