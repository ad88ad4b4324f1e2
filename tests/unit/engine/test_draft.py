"""Drafts save passes and change nothing: what a model answers is what plain decoding gives."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.certificate import read_certificate
from pytest_anchorgate.engine.cache import SlotLayer
from pytest_anchorgate.engine.draft import AFTER, FIRST, PATIENCE, Draft
from pytest_anchorgate.engine.protocol import Request
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.pack.convert import pack_directory
from pytest_anchorgate.pack.format import read_pack
from tests.tiny import save_model, save_tokenizer
from tests.unit.engine.test_transformers import answers, plain_greedy, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.engine.protocol import Completion

ROOT = Path(__file__).parents[3]
IDS = st.integers(3, 249)


def told(completion: Completion) -> tuple[object, ...]:
    return completion.token_ids, completion.text, completion.finish_reason


class Passes:
    """Counts the model's passes and the inputs they had, padding included."""

    def __init__(self, engine: TransformersEngine, patch: pytest.MonkeyPatch) -> None:
        self.shapes: list[tuple[int, int]] = []
        best = engine.head.best

        def count(ids: torch.Tensor, *rest: object, **more: object) -> object:
            self.shapes.append((ids.shape[0], ids.shape[1]))
            return best(ids, *rest, **more)  # type: ignore[arg-type] # handed on as they came

        patch.setattr(engine.head, "best", count)


@st.composite
def edited(draw: st.DrawFn, recorded: Sequence[int]) -> tuple[int, ...]:
    """Give a recorded answer with tokens put in, taken out and replaced, or another one."""
    tokens = list(recorded)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(tokens)))
        tokens[at : at + draw(st.integers(0, 3))] = draw(st.lists(IDS, max_size=3))
    return tuple(draw(st.sampled_from([tokens, tokens[::-1], tokens + tokens])))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_the_draft_the_answer_is_the_same(
    engine: TransformersEngine, data: st.DataObject
) -> None:
    seeds = data.draw(st.lists(st.integers(0, 50), min_size=1, max_size=8, unique=True))
    plain = [replace(request(seed), max_new_tokens=40) for seed in seeds]
    if data.draw(st.booleans()):
        engine.batch_tokens = 10**9
        free = answers(engine, plain)
        texts = [c.text for c in free.values() if len(c.text) > 4]
        stop = tuple(text[2:4] for text in texts[: data.draw(st.integers(0, 2))])
        plain = [replace(asked, stop=stop) for asked in plain]
    engine.batch_tokens = data.draw(st.sampled_from([1, 500, 10**9]))
    without = answers(engine, plain)
    drafts = [data.draw(edited(without[asked.key].token_ids)) for asked in plain]
    drafted = [replace(asked, draft=draft) for asked, draft in zip(plain, drafts, strict=True)]
    found = answers(engine, drafted)
    assert {k: told(c) for k, c in found.items()} == {k: told(c) for k, c in without.items()}
    for key, completion in found.items():
        assert completion.margin == pytest.approx(without[key].margin, abs=1e-4)


@pytest.fixture(scope="module")
def demo() -> TransformersEngine:
    torch.set_num_threads(1)
    return TransformersEngine(read_pack(ROOT / "packs" / "demo-v1.planck"))


@pytest.fixture(scope="module")
def anchors(demo: TransformersEngine) -> list[Request]:
    """Some of the demo anchors, each with the certified answer as its draft."""
    lines = (ROOT / "anchors" / "demo.jsonl").read_text("utf-8").splitlines()
    prompts = {row["id"]: row["prompt"] for row in map(json.loads, lines)}
    certificate = read_certificate(ROOT / "packs" / "certificates" / "demo-v1.json")
    return [
        Request(
            key=task.id,
            prompt_ids=tuple(demo.tokenizer.encode(prompts[task.id]).ids),
            stop=(),
            max_new_tokens=160,
            draft=task.token_ids,
        )
        for task in certificate.tasks[::4]
    ]


def test_an_unchanged_model_confirms_its_record_in_a_few_passes(
    demo: TransformersEngine, anchors: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = Passes(demo, monkeypatch)
    found = answers(demo, anchors)
    assert {asked.key: found[asked.key].token_ids for asked in anchors} == {
        asked.key: asked.draft for asked in anchors
    }
    assert len(passes.shapes) <= 8


@pytest.fixture
def perturbed(demo: TransformersEngine) -> Iterator[TransformersEngine]:
    kept = {name: weight.clone() for name, weight in demo.model.state_dict().items()}
    yield demo
    demo.model.load_state_dict(kept)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.1, 0.2, 0.4])
def test_a_changed_model_answers_as_without_drafts(
    perturbed: TransformersEngine, anchors: list[Request], scale: float
) -> None:
    noise = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in perturbed.model.named_parameters():
            if name.endswith("proj.weight"):
                weight.add_(torch.randn(weight.shape, generator=noise) * weight.std() * scale)
    without = answers(perturbed, [replace(asked, draft=()) for asked in anchors])
    found = answers(perturbed, anchors)
    assert {k: told(c) for k, c in found.items()} == {k: told(c) for k, c in without.items()}


def test_where_an_answer_parts_from_its_record_is_told_with_both_chances(
    engine: TransformersEngine,
) -> None:
    engine.batch_tokens = 10**9
    plain = [replace(request(seed), max_new_tokens=40) for seed in range(6)]
    without = answers(engine, plain)
    for position in (0, 5, 30):
        drafts = {}
        for asked in plain:
            tokens = list(without[asked.key].token_ids)
            at = min(position, len(tokens) - 1)
            tokens[at] = (tokens[at] + 1) % 200 + 3
            drafts[asked.key] = tuple(tokens)
        found = answers(engine, [replace(asked, draft=drafts[asked.key]) for asked in plain])
        for asked in plain:
            completion, draft = found[asked.key], drafts[asked.key]
            parting = completion.parting
            assert parting is not None
            assert completion.token_ids[: parting.position] == draft[: parting.position]
            ids = torch.tensor([[*asked.prompt_ids, *draft[: parting.position]]])
            with torch.inference_mode():
                chances = engine.model(ids).logits[0, -1].softmax(-1)
            now = float(chances[completion.token_ids[parting.position]])
            before = float(chances[draft[parting.position]])
            assert (parting.now, parting.before) == pytest.approx((now, before), abs=1e-4)
    assert all(completion.parting is None for completion in without.values())


def test_what_all_prompts_begin_with_is_read_once(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.batch_tokens = 10**9
    header = request(99, length=50).prompt_ids
    plain = [
        replace(asked, prompt_ids=header + asked.prompt_ids[: 5 * number])
        for number, asked in enumerate(map(request, range(6)))
    ]
    passes = Passes(engine, monkeypatch)
    without = answers(engine, plain)
    assert passes.shapes[0] == (1, 49)
    for asked in plain:
        assert without[asked.key].token_ids == plain_greedy(engine, asked)
    drafts = [replace(asked, draft=without[asked.key].token_ids) for asked in plain]
    found = answers(engine, drafts)
    assert {k: told(c) for k, c in found.items()} == {k: told(c) for k, c in without.items()}


def test_a_record_that_is_all_wrong_costs_little(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.batch_tokens = 10**9
    plain = [replace(request(seed, length=20), max_new_tokens=60) for seed in range(4)]
    passes = Passes(engine, monkeypatch)
    answers(engine, plain)
    before = sum(rows * width for rows, width in passes.shapes)
    passes.shapes.clear()
    answers(engine, [replace(asked, draft=(1,) * 60) for asked in plain])
    inputs = sum(rows * width for rows, width in passes.shapes)
    assert inputs <= before + len(plain) * (FIRST + PATIENCE * AFTER)


def follow(recorded: Sequence[int], answer: Sequence[int]) -> int:
    """Return in how many passes a draft of one answer gives another, the model being perfect."""
    draft, known, passes = Draft(recorded, ()), 0, 0
    while known < len(answer):
        guess = draft.guess(len(answer) - known - 1)
        right = 0
        while right < len(guess) and guess[right] == answer[known + right]:
            right += 1
        known += right + 1
        passes += 1
        draft.learn(answer[:known], gained=right + 1, guessed=len(guess))
    return passes


RECORD = random.Random(1).choices(range(50), k=200)


@pytest.mark.parametrize(
    ("answer", "most"),
    [
        pytest.param(RECORD, 2, id="unchanged"),
        pytest.param([*RECORD[:90], 99, *RECORD[91:]], 8, id="a token replaced"),
        pytest.param([*RECORD[:90], 99, 98, *RECORD[90:]], 9, id="two tokens put in"),
        pytest.param([*RECORD[:90], *RECORD[93:]], 9, id="three tokens taken out"),
        pytest.param([99, *RECORD[1:]], 8, id="the first token replaced"),
        pytest.param(RECORD[:50], 2, id="it ends early"),
        pytest.param([*RECORD, 97, 96], 4, id="it goes on"),
    ],
)
def test_a_change_of_some_tokens_costs_some_passes(answer: list[int], most: int) -> None:
    assert follow(RECORD, answer) <= most


def test_eos_is_never_guessed() -> None:
    assert Draft((5, 6, 0), {0}).guess(10) == (5, 6)


def test_slots_and_rows_are_kept_as_asked() -> None:
    layer = SlotLayer()
    states = torch.arange(2 * 1 * 5 * 3).view(2, 1, 5, 3).float()
    layer.update(states[:, :, :4], -states[:, :, :4])
    layer.keep(torch.tensor([1]), torch.tensor([[0, 3]]))
    keys, values = layer.update(states[1:, :, 4:], -states[1:, :, 4:])
    assert torch.equal(keys, states[1:][:, :, [0, 3, 4]])
    assert torch.equal(values, -states[1:][:, :, [0, 3, 4]])
    assert layer.get_seq_length() == 3


def test_a_buffer_grows_and_forgets_nothing() -> None:
    layer, states = SlotLayer(), torch.randn(2, 1, 400, 3)
    for part in states.split(7, dim=2):
        keys, values = layer.update(part, part)
    assert torch.equal(keys, states)
    assert torch.equal(values, states)


def test_a_model_that_forgets_answers_without_drafts(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_model(folder, use_sliding_window=True, sliding_window=8, max_window_layers=1)
    save_tokenizer(folder)
    pack_directory(folder, tmp_path / "sliding.planck")
    engine = TransformersEngine(read_pack(tmp_path / "sliding.planck"))
    assert not engine.head.has_slots
    plain = [replace(request(seed, length=30), max_new_tokens=20) for seed in range(5)]
    without = answers(engine, plain)
    for asked in plain:
        assert without[asked.key].token_ids == plain_greedy(engine, asked)
    drafted = [replace(asked, draft=(*without[asked.key].token_ids[:9], 7)) for asked in plain]
    found = answers(engine, drafted)
    assert {k: told(c) for k, c in found.items()} == {k: told(c) for k, c in without.items()}
