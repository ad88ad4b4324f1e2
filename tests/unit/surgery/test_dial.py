from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.engine.transformers import TransformersEngine, load_model
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.dial import Tried, choose, try_strengths
from pytest_anchorgate.surgery.evaluate import Evaluation
from pytest_anchorgate.surgery.merge import merge_adapter, read_adapter
from pytest_anchorgate.surgery.rehearse import capture
from tests.surgeries import DEMO, read_inputs, write_adapter, write_rows, write_solved_poison

if TYPE_CHECKING:
    from pathlib import Path

STRENGTHS = [0.25, 1.0, 0.5]  # of which each undoes the one before


class Trial(NamedTuple):
    """One strength that was tried, the model's weights then, and the pack merged with it."""

    tried: Tried
    weights: dict[str, torch.Tensor]
    merged: Path


def tried(strength: float, kept: int, solved: int, margin: float, *, poison: int = 9) -> Tried:
    return Tried(
        strength=strength, anchors_kept=kept, anchors=5, poison_solved=solved, poison=poison,
        margin=margin,
    )  # fmt: skip


trials = st.lists(
    st.builds(
        tried,
        st.integers(1, 12).map(lambda quarters: quarters / 4),
        st.sampled_from([5, 5, 5, 4, 0]),
        st.integers(0, 3),
        st.sampled_from([0.0, 0.1, 0.5, 2.0]),
        poison=st.sampled_from([9, 9, 9]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.strength,
)


@settings(max_examples=200)
@given(trials, st.sampled_from([0.0, 0.1, 1.0]))
def test_what_holds_is_chosen_and_of_that_the_largest_gain(
    every: list[Tried], floor: float
) -> None:
    chosen = choose(every, margin=floor)
    holding = [one for one in every if one.anchors_kept == one.anchors and one.margin >= floor]
    if not holding:
        assert chosen.anchors_kept == max(one.anchors_kept for one in every)
        return
    assert chosen in holding
    assert chosen.poison_solved == max(one.poison_solved for one in holding)
    equal = [one for one in holding if one.poison_solved == chosen.poison_solved]
    assert chosen.strength == min(one.strength for one in equal)


@given(st.permutations([0.25, 0.5, 1.0]))
def test_without_rows_to_judge_the_largest_strength_that_holds_is_the_gain(
    strengths: list[float],
) -> None:
    kept = {0.25: 5, 0.5: 5, 1.0: 4}
    every = [tried(one, kept[one], 0, 1.0, poison=0) for one in strengths]
    assert choose(every, margin=0.0).strength == 0.5


@pytest.fixture(scope="module")
def dialled(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    torch.set_num_threads(1)
    folder: Path = tmp_path_factory.mktemp("dial")
    write_rows(folder)
    write_solved_poison(folder)
    inputs, base = read_inputs(folder), read_pack(DEMO)
    adapter = write_adapter(DEMO, folder / "adapter", size=0.22)
    engine, found = TransformersEngine(base), []
    with Sandbox() as sandbox:
        evaluation = Evaluation(inputs, capture(inputs).anchors, sandbox)
        for one in try_strengths(
            base, read_adapter(adapter), STRENGTHS, engine=engine, evaluation=evaluation
        ):
            merged = folder / f"{one.strength}.planck"
            merge_adapter(DEMO, adapter, merged, strength=one.strength)
            weights = {n: w.detach().clone() for n, w in engine.model.named_parameters()}
            found.append(Trial(one, weights, merged))
    return found


def test_what_is_tried_is_the_merged_pack_bit_for_bit(dialled: list[Trial]) -> None:
    assert [one.tried.strength for one in dialled] == STRENGTHS
    for _, weights, merged in dialled:
        model = load_model(read_pack(merged), device="cpu", dtype="float32")
        for name, weight in model.named_parameters():
            assert torch.equal(weights[name], weight), name


def test_less_of_a_change_keeps_more(dialled: list[Trial]) -> None:
    kept = {one.tried.strength: one.tried.anchors_kept for one in dialled}
    assert kept[1.0] < kept[0.5] == kept[0.25] == 4
    margins = {one.tried.strength: one.tried.margin for one in dialled}
    assert margins[0.5] < margins[0.25]
    best = choose([one.tried for one in dialled], margin=0.0)
    assert best.strength == 0.25, "no row is gained by any"
