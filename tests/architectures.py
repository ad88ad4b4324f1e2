"""Small models of several architectures, whose weights depend on nothing but their shapes."""

from __future__ import annotations

from typing import Any

SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
KINDS: dict[str, dict[str, Any]] = {
    "Qwen2ForCausalLM": {"model_type": "qwen2"},
    "LlamaForCausalLM": {"model_type": "llama"},
    "Gemma2ForCausalLM": {"model_type": "gemma2"},
    "Phi3ForCausalLM": {"model_type": "phi3"},
    "GPT2LMHeadModel": {"model_type": "gpt2"},
}


def config(name: str) -> dict[str, Any]:
    return {**SHAPE, **KINDS[name], "architectures": [name]}


def logits(name: str) -> list[float]:
    """Return what a model that the package built says of some tokens."""
    import torch

    from pytest_anchorgate.pack.architecture import build_model

    model: Any = build_model("here", config(name))
    seeded = torch.Generator().manual_seed(5)
    weights = {
        key: torch.randn(value.shape, generator=seeded)
        for key, value in sorted(model.state_dict().items())
    }
    model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    with torch.inference_mode():
        found: list[float] = model.eval()(torch.arange(3, 23)[None]).logits.flatten().tolist()
    return found
