from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from pytest_anchorgate.surgery.protect import (
    ADAPTER,
    NullSpace,
    divergence,
    lora_layers,
    principal,
    second_moments,
)


def adapted(seed: int = 1, **changed: Any) -> Any:
    torch.manual_seed(seed)
    settings = {
        "vocab_size": 64, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True,
    }  # fmt: skip
    model: Any = Qwen2ForCausalLM(Qwen2Config(**(settings | changed)))
    return get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))


def batch(rows: int, width: int, seed: int = 2) -> dict[str, torch.Tensor]:
    """Rows of which each is a token shorter than the one before."""
    ids = torch.randint(64, (rows, width), generator=torch.Generator().manual_seed(seed))
    lengths = torch.tensor([max(1, width - row) for row in range(rows)])
    return {
        "input_ids": ids,
        "attention_mask": (torch.arange(width)[None] < lengths[:, None]).long(),
    }


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(2, 30), st.integers(0, 99))
def test_divergence_is_torch_s_own(rows: int, words: int, seed: int) -> None:
    torch.manual_seed(seed)
    adapted, base = 3 * torch.randn(rows, words), 3 * torch.randn(rows, words)
    p, q = base.log_softmax(-1), adapted.log_softmax(-1)
    right = nn.functional.kl_div(q, p, reduction="batchmean", log_target=True)
    torch.testing.assert_close(divergence(adapted, base).mean(), right)
    assert divergence(base, base).tolist() == pytest.approx([0] * rows, abs=1e-6)


def test_moments_are_the_inputs_own_over_real_tokens() -> None:
    model = adapted()
    batches = [batch(3, 5), batch(2, 7, seed=9)]
    found = second_moments(model, batches)
    assert found.keys() == lora_layers(model).keys()
    name = next(name for name in found if name.endswith("layers.0.self_attn.q_proj"))
    layer = model.base_model.model.model.layers[0]
    states = []
    with torch.no_grad():
        for one in batches:
            embedded = layer.input_layernorm(model.get_input_embeddings()(one["input_ids"]))
            states.append(embedded[one["attention_mask"].bool()])
    every = torch.cat(states)
    torch.testing.assert_close(found[name], every.T @ every / len(every))


def test_the_number_of_batches_changes_no_moment() -> None:
    model, whole = adapted(), batch(6, 8)
    parts = [{key: value[row : row + 1] for key, value in whole.items()} for row in range(6)]
    for one, other in zip(
        second_moments(model, [whole]).values(), second_moments(model, parts).values(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 20), st.floats(0.05, 1.0), st.integers(0, 99))
def test_directions_carry_the_energy_and_no_fewer_would(
    width: int, tokens: int, energy: float, seed: int
) -> None:
    torch.manual_seed(seed)
    states = torch.randn(tokens, width) * torch.logspace(0, -2, width)
    moment = states.T @ states / tokens
    found = principal(moment, energy)
    count = found.shape[1]
    torch.testing.assert_close(found.T @ found, torch.eye(count), rtol=0, atol=1e-5)
    values = torch.linalg.eigvalsh(moment.double()).flip(0).clamp(min=0)
    share = values.cumsum(0) / values.sum()
    assert share[count - 1] >= energy - 1e-5
    assert count == 1 or share[count - 2] < energy


def test_nothing_read_is_nothing_taken() -> None:
    assert principal(torch.zeros(5, 5), 0.9).shape == (5, 0)


def test_an_adapter_in_the_null_space_changes_no_protected_logit() -> None:
    model = adapted(hidden_size=64, intermediate_size=96)
    protected, other = batch(2, 6), batch(2, 6, seed=5)
    space = NullSpace(model, second_moments(model, [protected]), energy=1.0)
    assert 0 < space.free < 1
    with torch.no_grad():
        for layer in lora_layers(model).values():
            layer.lora_A[ADAPTER].weight.add_(torch.randn_like(layer.lora_A[ADAPTER].weight))
            layer.lora_B[ADAPTER].weight.normal_(std=0.01)
        space.on_optimizer_step()

        def moved(asked: dict[str, torch.Tensor]) -> float:
            real = asked["attention_mask"].bool()
            now = model(**asked).logits[real]
            with model.disable_adapter():
                return float((now - model(**asked).logits[real]).abs().max())

        assert moved(protected) < moved(other) / 50
