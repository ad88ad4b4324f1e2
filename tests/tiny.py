"""A random Qwen2-architecture model of a few kilobytes, as a directory and as a pack."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

EOS = "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_tiny_directory(directory: Path, *, seed: int = 0, **config: Any) -> None:
    """Write a Hugging Face directory; keyword arguments change the Qwen2 configuration."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[EOS, "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["def f(n):\n    return n + 1\n"] * 3, trainer)
    shape = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "initializer_range": 0.2,  # logits far enough apart to decode something
    }
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(Qwen2Config(**{**shape, **config})).to(torch.bfloat16)
    model.save_pretrained(directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": EOS,
        "chat_template": CHAT_TEMPLATE,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))


def write_tiny_pack(path: Path, *, seed: int = 0, **config: Any) -> str:
    """Write a random pack and return its sha256."""
    from pytest_anchorgate.pack.convert import pack_directory

    with tempfile.TemporaryDirectory() as directory:
        write_tiny_directory(Path(directory), seed=seed, **config)
        return pack_directory(Path(directory), path)
