from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pytest_anchorgate.engine.protocol import FinishReason, engine_identity
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.surgery import sample as sampling
from pytest_anchorgate.surgery.sample import (
    cut_document,
    cut_turn,
    is_no_python,
    sample,
    sample_prompts,
)
from pytest_anchorgate.tasks.prompt import PromptStyle
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec

ROOT = Path(__file__).parents[3]
PACK = ROOT / "packs/demo-v1.planck"
ANCHORS = str(ROOT / "anchors/demo.jsonl")
EOS = 0
ASKED = ['"""\nAdd 3 to x.\n', "def f(a, b):\n", "from typing import List\n\n", "x"]
FUNCTION = 'def f(a):\n    """Add 1."""\n'


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    torch.set_num_threads(1)
    return TransformersEngine(read_pack(PACK))


def prompter(style: PromptStyle | None = None) -> Prompter:
    identity = engine_identity("transformers", device="cpu", dtype="auto")
    return Prompter.load(
        str(PACK), sha256=digest_file(PACK), identity=identity, style=style, max_new_tokens=512
    )


def ids_of(engine: TransformersEngine, texts: list[str]) -> list[list[int]]:
    return [engine.tokenizer.encode(text).ids for text in texts]


def test_the_batch_changes_nothing_and_the_seed_everything(engine: TransformersEngine) -> None:
    prompts = ids_of(engine, ASKED * 3)
    together = list(sample(engine, prompts, seed=4, max_new_tokens=60))
    narrow = TransformersEngine(read_pack(PACK), batch_tokens=250)
    assert list(sample(narrow, prompts, seed=4, max_new_tokens=60)) == together
    others = list(sample(engine, prompts, seed=5, max_new_tokens=60))
    assert sum(one != other for one, other in zip(together, others, strict=True)) > 6
    assert len(set(together)) == len(prompts)


def test_an_answer_ends_with_the_end_of_text_or_at_the_limit(engine: TransformersEngine) -> None:
    for ids in sample(engine, [[EOS]] * 20, seed=1, max_new_tokens=40):
        assert EOS not in ids[:-1]
        assert ids[-1] == EOS or len(ids) == 40


def test_a_token_comes_as_often_as_it_is_likely(engine: TransformersEngine) -> None:
    count, temperature = 2500, 1.5
    drawn = Counter(
        token
        for (token,) in sample(
            engine, [[EOS]] * count, seed=2, temperature=temperature, max_new_tokens=1
        )
    )
    with torch.inference_mode():
        logits = engine.model(input_ids=torch.tensor([[EOS]])).logits[0, -1]
    likely = (logits.double() / temperature).softmax(-1)
    assert sum(likely[list(drawn)]) > 0.9
    for token, chance in enumerate(likely.tolist()):
        spread = math.sqrt(count * chance * (1 - chance))
        assert abs(drawn[token] - count * chance) <= 4.5 * spread + 1


def test_a_low_temperature_gives_the_greedy_answer(engine: TransformersEngine) -> None:
    asked, tasks = prompter(), load_suite("anchor", [parse_suite_spec(ANCHORS)], resolve={})[:6]
    requests = [asked.request(task) for task in tasks]
    greedy = {one.key: one for one in engine.generate(requests)}
    prompts = [request.prompt_ids for request in requests]
    cold = sample(engine, prompts, seed=0, temperature=0.01, max_new_tokens=100)
    for request, ids in zip(requests, cold, strict=True):
        assert greedy[request.key].finish_reason is FinishReason.EOS
        assert ids == greedy[request.key].token_ids


def test_a_row_ends_where_its_text_is_enough(engine: TransformersEngine) -> None:
    prompts = ids_of(engine, ["from typing import List\n\n"] * 6)
    every = list(sample(engine, prompts, seed=3, max_new_tokens=60))
    short = list(sample(engine, prompts, seed=3, max_new_tokens=90, enough=lambda t: "def" in t))
    for whole, ids in zip(every, short, strict=True):
        assert whole[: len(ids)] == ids
        assert len(ids) % sampling.LOOK == 0
        assert len(ids) < len(whole)
        assert "def" in engine.tokenizer.decode(ids)


def test_the_model_writes_prompts_of_its_own(engine: TransformersEngine) -> None:
    anchors = load_suite("anchor", [parse_suite_spec(ANCHORS)], resolve={})
    found = sample_prompts(engine, prompter(), count=24, excluded=anchors, seed=7)
    assert [task.id for task in found] == [f"sampled/{number}" for number in range(24)]
    assert {(task.suite, task.entry_point, task.tests) for task in found} == {("rehearsal", "", ())}
    prompts = {task.prompt for task in found}
    assert len(prompts) == 24
    assert prompts.isdisjoint(task.prompt for task in anchors)
    assert all(cut_document(prompt) == prompt for prompt in prompts)
    assert {prompt.startswith("def ") for prompt in prompts} == {True, False}  # both forms
    assert sample_prompts(engine, prompter(), count=24, excluded=anchors, seed=7) == found


def test_prompts_of_excluded_tasks_are_left_out(engine: TransformersEngine) -> None:
    first = sample_prompts(engine, prompter(), count=8, excluded=(), seed=7)
    found = sample_prompts(engine, prompter(), count=8, excluded=first[::2], seed=7)
    assert [task.prompt for task in found[:4]] == [task.prompt for task in first[1::2]]


def test_too_few_prompts_are_told(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_DOCUMENTS", 1)
    said = r"demo-v1.planck: wrote \d different prompts in 12 documents, and rehearsal.sampled = 12"
    with pytest.raises(UsageError, match=said):
        sample_prompts(engine, prompter(), count=12, excluded=(), seed=0)


def test_a_document_begins_with_the_token_that_the_config_names(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_DOCUMENTS", 1)
    asked = prompter()
    chat = asked.tokenizer.token_to_id("<|im_start|>")  # behind which nothing is code
    pack = replace(asked.pack, config={**asked.pack.config, "bos_token_id": chat})
    with pytest.raises(UsageError, match="wrote 0 different prompts in 8 documents"):
        sample_prompts(engine, replace(asked, pack=pack), count=8, excluded=(), seed=0)


def test_a_chat_model_writes_the_user_s_turn(engine: TransformersEngine) -> None:
    found = sample_prompts(engine, prompter(PromptStyle.CHAT), count=12, excluded=(), seed=0)
    assert len({task.prompt for task in found}) == 12
    assert all(cut_document(task.prompt) == task.prompt for task in found)
    assert not any("<|im_" in task.prompt for task in found)


@pytest.mark.parametrize(
    ("document", "prompt"),
    [
        ('"""\nAdd.\n"""\ndef f(a):\n    return a\n', '"""\nAdd.\n"""\n'),
        (f"{FUNCTION}    return a\n", FUNCTION),
        (f"import re\n\n\n{FUNCTION}    return a\n", f"import re\n\n\n{FUNCTION}"),
        (f"def g():\n    return 'x'\n\n{FUNCTION}", f"def g():\n    return 'x'\n\n{FUNCTION}"),
        ("def f(\n    a,\n):\n    '''Add.'''  \n    x", "def f(\n    a,\n):\n    '''Add.'''  \n"),
        (f"async {FUNCTION}", f"async {FUNCTION}"),
        ("@cache\n" + FUNCTION, "@cache\n" + FUNCTION),
        ('def f(a): """Add."""\n', None),  # no body can follow
        ('def f(a, a):\n    """Add."""\n', None),
        ('class A:\n    """Add."""\n', None),
        ('""" """\nx = 1\n', None),
        ("def f():\n    return 'x'\n", None),
        ('"""\nAdd.\n', None),
        ('"""\n\ufffd\n"""\n', None),
        ("The quick brown 'fox'\n", None),
        ("'a'.join('b')\n'c'\n", None),
        ("", None),
    ],
)
def test_a_document_is_cut_behind_its_first_docstring(document: str, prompt: str | None) -> None:
    assert cut_document(document) == prompt


@pytest.mark.parametrize(
    ("turn", "prompt"),
    [
        ("Add 1.<end>\nmodel", '"""\nAdd 1.\n"""\n'),
        (f"{FUNCTION}<end>", FUNCTION),
        (f"{FUNCTION.rstrip()}</s>", FUNCTION),
        ("Add 1.", None),  # goes on
        ("<end>", None),
        ('What is """ for?<end>', None),
    ],
)
def test_a_user_s_turn_becomes_code(turn: str, prompt: str | None) -> None:
    assert cut_turn(turn, ["</s>", "<end>"]) == prompt


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The quick brown\nfox", True),
        ("return 1\n", True),
        ("The quick brown", False),  # a line that may go on
        ("def f(\n", False),
        ("def f():\n    if x:\n", False),
        ('def f():\n    """Add\n\n', False),
        ("x = \\\n", False),
        ("", False),
    ],
)
def test_what_can_be_no_python_is_known_early(text: str, told: bool) -> None:
    assert is_no_python(text) is told
