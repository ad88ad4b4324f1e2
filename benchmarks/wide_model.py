"""Make a random model of Qwen2.5-0.5B's shape, as a directory and as a pack.

    python wide_model.py FOLDER [--small]

Its tokenizer gives one token for each byte of a text, and decodes every id of the vocabulary to a
text of its own. The last norm is scaled so that the best logits are as far apart as a trained
model's: with a random model's own, nearly every answer would have a tie. A second directory and
pack hold the same model with one matrix a BF16 step off. `--small`: a few layers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import Qwen2Config, Qwen2ForCausalLM

from pytest_anchorgate.pack.convert import pack_directory

VOCABULARY = 151_936
SHAPE: dict[str, Any] = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
}
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
EOS = "<|endoftext|>"
SEED, NORM = 7, 16.0


def main() -> None:
    """Write FOLDER/model and FOLDER/wide.planck, FOLDER/changed and FOLDER/changed.planck."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    model = made(SMALL if options.small else SHAPE)
    save(model, options.folder / "model", options.folder / "wide.planck")
    change(model)
    save(model, options.folder / "changed", options.folder / "changed.planck")


def save(model: Any, directory: Path, pack: Path) -> None:
    """Write a model as a directory and as a pack."""
    directory.mkdir(parents=True)
    model.save_pretrained(directory)
    save_tokenizer(directory)
    pack_directory(directory, pack)


def change(model: Any) -> None:
    """Move one matrix by about one BF16 step, so that a few answers differ."""
    with torch.no_grad():
        model.model.layers[-1].mlp.down_proj.weight *= 1 + torch.finfo(torch.bfloat16).eps


def made(shape: dict[str, Any]) -> Any:
    """Return a random model."""
    torch.manual_seed(SEED)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=VOCABULARY - 1,
        **shape,
    )
    model: Any = Qwen2ForCausalLM(config)
    model.to(torch.bfloat16)
    with torch.no_grad():
        model.model.norm.weight.fill_(NORM)
    return model


def save_tokenizer(directory: Path) -> None:
    """Write a byte-level tokenizer without merges, whose other tokens no text has."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    more = (f"x{number}" for number in range(len(alphabet), VOCABULARY - 1))
    vocabulary = {token: number for number, token in enumerate([*alphabet, *more])}
    tokenizer: Any = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([EOS])
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": EOS,
        "pad_token": EOS,
        "clean_up_tokenization_spaces": False,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


if __name__ == "__main__":
    main()
