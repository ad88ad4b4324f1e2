from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.engine.protocol import Completion, FinishReason, Request
from pytest_anchorgate.engine.transformers import TransformersEngine, load_model
from pytest_anchorgate.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.pack.format import Pack

SIZES = {1: 1, 7: 7 * 80, 64: 10**9}  # batch_tokens that give batches of about so many rows


def request(seed: int, *, length: int | None = None, stop: tuple[str, ...] = ()) -> Request:
    choose = random.Random(seed)
    ids = tuple(choose.randrange(3, 250) for _ in range(length or choose.randrange(1, 60)))
    return Request(key=str(seed), prompt_ids=ids, stop=stop, max_new_tokens=20)


def answers(engine: TransformersEngine, requests: Sequence[Request]) -> dict[str, Completion]:
    return {completion.key: completion for completion in engine.generate(requests)}


def plain_greedy(engine: TransformersEngine, asked: Request) -> tuple[int, ...]:
    """Greedy decoding the slow way: the whole sequence again for every token, no cache."""
    ids = list(asked.prompt_ids)
    with torch.inference_mode():
        for _ in range(asked.max_new_tokens):
            ids.append(int(engine.model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] in engine.eos_ids:
                break
    return tuple(ids[len(asked.prompt_ids) :])


def test_completions_equal_plain_greedy_decoding(engine: TransformersEngine) -> None:
    requests = [request(seed) for seed in range(12)]
    for asked in requests:
        completion = answers(engine, requests)[asked.key]
        assert completion.token_ids == plain_greedy(engine, asked)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20, unique=True), st.randoms())
def test_batch_size_and_order_change_no_completion(
    engine: TransformersEngine, seeds: list[int], shuffle: random.Random
) -> None:
    requests = [request(seed) for seed in seeds]
    seen = []
    for batch_tokens in SIZES.values():
        engine.batch_tokens = batch_tokens
        shuffle.shuffle(requests)
        completions = answers(engine, requests)
        seen.append({key: (c.token_ids, c.text, c.finish_reason) for key, c in completions.items()})
    assert seen[0] == seen[1] == seen[2]


def test_a_row_with_a_small_margin_is_decoded_again_alone(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.batch_tokens = 10**9
    batches: list[int] = []
    decode = engine.decode
    monkeypatch.setattr(
        engine, "decode", lambda batch: (batches.append(len(batch)), decode(batch))[1]
    )
    monkeypatch.setattr(engine, "threshold", float("inf"))
    answers(engine, [request(seed) for seed in range(3)])
    assert batches == [3, 1, 1, 1]


def test_a_batch_that_does_not_fit_is_halved_until_it_does(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.batch_tokens = 10**6
    requests = [request(seed) for seed in range(7)]
    whole, decode = answers(engine, requests), engine.decode
    sizes: list[int] = []

    def small(batch: Sequence[Request]) -> object:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no room")
        return decode(batch)

    monkeypatch.setattr(engine, "decode", small)
    found = answers(engine, requests)
    assert {k: c.token_ids for k, c in found.items()} == {k: c.token_ids for k, c in whole.items()}
    assert sizes == [7, 3, 1, 2, 4, 2, 2]
    assert engine.batch_tokens == 10**6 // 8


def test_what_does_not_fit_alone_is_an_error(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: object) -> object:
        raise MemoryError("no room")

    monkeypatch.setattr(engine, "decode", never)
    with pytest.raises(MemoryError, match="no room"):
        answers(engine, [request(1), request(2)])


def test_batches_are_sorted_by_length_and_hold_the_budget(engine: TransformersEngine) -> None:
    engine.batch_tokens = 200
    batches = list(engine.batches([request(seed) for seed in range(30)]))
    lengths = [len(asked.prompt_ids) for batch in batches for asked in batch]
    assert lengths == sorted(lengths)
    assert len(lengths) == 30
    assert all(len(b) == 1 or len(b) * (len(b[-1].prompt_ids) + 20) <= 200 for b in batches)


def test_a_stop_sequence_ends_the_row_and_is_cut(engine: TransformersEngine) -> None:
    free = answers(engine, [request(5)])["5"]
    assert free.finish_reason is FinishReason.LENGTH
    stop = free.text[3:5]
    stopped = answers(engine, [request(5, stop=("never", stop))])["5"]
    assert stopped.finish_reason is FinishReason.STOP
    assert stopped.text == free.text[: free.text.index(stop)]
    assert free.token_ids[: len(stopped.token_ids)] == stopped.token_ids


def test_the_eos_id_ends_the_row_and_is_not_text(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = answers(engine, [request(5)])["5"]
    monkeypatch.setattr(engine, "eos_ids", frozenset({free.token_ids[4]}))
    ended = answers(engine, [request(5)])["5"]
    first = free.token_ids.index(free.token_ids[4])
    assert ended.finish_reason is FinishReason.EOS
    assert ended.token_ids == free.token_ids[: first + 1]
    assert ended.text == engine.tokenizer.decode(list(free.token_ids[:first]))


def test_the_margin_is_the_smallest_gap_between_the_two_best_logits(
    engine: TransformersEngine,
) -> None:
    asked = request(9)
    completion = answers(engine, [asked])["9"]
    ids = torch.tensor([[*asked.prompt_ids, *completion.token_ids]])
    with torch.inference_mode():
        best = engine.model(ids).logits[0, len(asked.prompt_ids) - 1 : -1].topk(2).values
    assert completion.margin == pytest.approx(float((best[:, 0] - best[:, 1]).min()), abs=1e-4)


def test_loading_assigns_float32_weights_equal_to_the_bf16_ones(tiny: Pack) -> None:
    from pytest_anchorgate.pack.read import iter_tensors

    model = load_model(tiny, device="cpu", dtype="float32")
    loaded = model.state_dict()
    for name, tensor in iter_tensors(tiny):
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name].to(torch.bfloat16), tensor)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert not any(buffer.is_meta for buffer in model.buffers())


def test_a_missing_tensor_is_named(tiny: Pack) -> None:
    kept = tuple(entry for entry in tiny.tensors if entry.name != "model.norm.weight")
    with pytest.raises(PackError, match=r"lacks the tensor 'model\.norm\.weight'"):
        load_model(replace(tiny, tensors=kept), device="cpu", dtype="float32")


def test_a_tensor_that_does_not_fit_its_config_is_named(tiny: Pack) -> None:
    wider = {**tiny.config, "intermediate_size": 80}
    with pytest.raises(PackError, match=r"mlp\.\w+\.weight' has shape \[.*64.*\], its config says"):
        load_model(replace(tiny, config=wider), device="cpu", dtype="float32")
