"""Tiny random models in Hugging Face form: two layers, a byte-level BPE of 300 ids."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXTS = ["def add(a, b):\n    return a + b\n", "the sum of two numbers, a and b", "it's 1234 + 5"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"


def save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def save_model(folder: Path, *, dtype: str, tied: bool, shard_size: str = "5GB") -> None:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(7)
    config = Qwen2Config(
        vocab_size=320,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
        eos_token_id=0,
    )
    model = Qwen2ForCausalLM(config).to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard_size)


@pytest.fixture(scope="session")
def make_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that saves one kind of model once and returns its directory."""
    made: dict[tuple[str, bool, str], Path] = {}

    def make(dtype: str = "float32", *, tied: bool = True, shard_size: str = "5GB") -> Path:
        key = (dtype, tied, shard_size)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("hf")
            save_model(made[key], dtype=dtype, tied=tied, shard_size=shard_size)
            save_tokenizer(made[key])
        return made[key]

    return make


@pytest.fixture
def source(make_source: Callable[..., Path], tmp_path: Path) -> Path:
    """Give a fresh copy of a tied float32 model, to damage as the test likes."""
    return shutil.copytree(make_source(), tmp_path / "hf")
