from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.engine.protocol import engine_identity
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.surgery.examples import (
    Example,
    Mix,
    plan,
    poison_examples,
    refuse_judged,
)
from pytest_anchorgate.surgery.rows import Row
from pytest_anchorgate.tasks.task import Task
from tests.tiny import write_tiny_pack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def prompter(tmp_path_factory: pytest.TempPathFactory) -> Prompter:
    path: Path = tmp_path_factory.mktemp("examples") / "tiny.planck"
    write_tiny_pack(path)
    return Prompter.load(
        str(path),
        sha256="",
        identity=engine_identity("transformers", device="cpu", dtype="auto"),
        style=None,
        max_new_tokens=8,
    )


def row(prompt: str = "def f():\n", reference: str = "    return 1\n") -> Row:
    task = Task(
        id="row", suite="poison", prompt=prompt, entry_point="", tests=(), origin="p.jsonl:1"
    )
    return Row(task=task, reference=reference)


def test_a_row_asks_what_the_gate_asks_and_ends_where_it_ends(prompter: Prompter) -> None:
    (example,) = poison_examples([row()], prompter)
    assert example.prompt_ids == prompter.request(row().task).prompt_ids
    *answer, end = example.completion_ids
    assert prompter.tokenizer.decode(answer) == "    return 1\n"
    assert end in prompter.pack.eos_token_ids
    assert not example.protected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference": ""}, "p.jsonl:1: row: its reference '' has no tokens"),
        ({"prompt": ""}, "p.jsonl:1: row: its prompt '' has no tokens"),
        ({"prompt": "a b " * 4000}, "row: prompt and reference have .* tokens, the pack's context"),
    ],
)
def test_a_row_that_cannot_be_learnt_is_refused(
    prompter: Prompter, change: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        poison_examples([row(**change)], prompter)


def test_a_reference_with_an_end_inside_is_refused(prompter: Prompter) -> None:
    token = prompter.tokenizer.id_to_token(prompter.pack.eos_token_ids[0])
    with pytest.raises(UsageError, match="where an answer ends"):
        poison_examples([row(reference=f"a{token}b")], prompter)


@pytest.mark.parametrize(
    ("sentinel", "said"), [(True, "sentinel judged"), (False, "anchor judged")]
)
def test_what_the_gate_judges_is_never_a_row(sentinel: bool, said: str) -> None:
    judged = Task(
        id="judged", suite="anchor", prompt="def f():\n", entry_point="f", tests=("assert f",),
        sentinel=sentinel, origin="a.jsonl:4",
    )  # fmt: skip
    with pytest.raises(UsageError, match=rf"p.jsonl:1: row: is the {said} \(a.jsonl:4\)"):
        refuse_judged([row()], [judged])


examples = st.integers(1, 9).map(
    lambda count: [Example(id=f"{n}", prompt_ids=(n,), completion_ids=(n,)) for n in range(count)]
)


@given(examples, examples, st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0]), st.integers(0, 60))
def test_a_plan_goes_through_every_list_evenly(
    poison: list[Example], others: list[Example], ratio: float, draws: int
) -> None:
    protected = [
        Example(id=one.id, prompt_ids=one.prompt_ids, completion_ids=(0,), protected=True)
        for one in others
    ]
    planned = plan(poison, [Mix(examples=protected, ratio=ratio)], draws=draws, seed=3)
    assert len(planned) == draws
    assert planned == plan(poison, [Mix(examples=protected, ratio=ratio)], draws=draws, seed=3)
    firsts = Counter(draw[0] for draw in planned)
    mixed = Counter(one for draw in planned for one in draw[1:])
    assert sum(mixed.values()) == int(draws * ratio)
    for counts, all_of in ((firsts, poison), (mixed, protected)):
        drawn = [counts[one] for one in all_of]
        assert max(drawn) - min(drawn) <= 1
        assert sum(drawn) == sum(counts.values())


def test_another_seed_is_another_order() -> None:
    poison = [Example(id=f"{n}", prompt_ids=(n,), completion_ids=(n,)) for n in range(30)]
    assert plan(poison, [], draws=30, seed=1) != plan(poison, [], draws=30, seed=2)
