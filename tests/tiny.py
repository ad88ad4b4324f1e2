"""A random Qwen2-architecture model of a few kilobytes, as a directory and as a pack."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

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


def save_model(
    folder: Path,
    *,
    dtype: str = "float32",
    tied: bool = True,
    shard_size: str = "5GB",
    **changed: Any,
) -> None:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(7)
    settings = {
        "vocab_size": 320,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 64,
        "tie_word_embeddings": tied,
        "eos_token_id": 0,
    }
    model = Qwen2ForCausalLM(Qwen2Config(**(settings | changed))).to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard_size)


def write_tiny_pack(path: Path, *, initializer_range: float = 0.2) -> str:
    """Write a random pack that decodes something, with room for 2048 tokens; return its sha256.

    ``initializer_range`` has logits far enough apart to decode more than one token; another one
    makes another pack.
    """
    from pytest_anchorgate.pack.convert import pack_directory

    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        save_model(
            folder,
            hidden_size=32,
            intermediate_size=64,
            max_position_embeddings=2048,
            initializer_range=initializer_range,
        )
        save_tokenizer(folder)
        return pack_directory(folder, path)
