"""Tiny random models in Hugging Face form, and a pack of two tensors to damage."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.tiny import save_model, save_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def make_source(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that saves one kind of model once and returns its directory."""
    made: dict[tuple[tuple[str, Any], ...], Path] = {}

    def make(**kind: Any) -> Path:
        key = tuple(sorted(kind.items()))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("hf")
            save_model(made[key], **kind)
            save_tokenizer(made[key])
        return made[key]

    return make


@pytest.fixture
def source(make_source: Callable[..., Path], tmp_path: Path) -> Path:
    """Give a fresh copy of a tied float32 model, to damage as the test likes."""
    return shutil.copytree(make_source(), tmp_path / "hf")


SMALL = {
    "config": {
        "architectures": ["TinyForCausalLM"],
        "max_position_embeddings": 8,
        "tie_word_embeddings": True,
        "vocab_size": 4,
    },
    "generation_config": {"eos_token_id": [3]},
    "assets": {"tokenizer.json": b'{"version":"1.0"}', "chat_template.jinja": b"{{ x }}"},
    "provenance": {"made": "by hand"},
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give a pack of two tensors, ``w`` of six values and ``b`` of one."""
    return write_small(tmp_path / "small.planck")


@pytest.fixture(name="write_small")
def give_write_small() -> Callable[..., Path]:
    """Give the function that writes the small pack, with what the test wants otherwise."""
    return write_small


def write_small(path: Path, **changed: Any) -> Path:
    import torch

    from pytest_anchorgate.pack.write import write_pack

    weights = {
        "w": torch.tensor([[1, -2, 0.5], [3, 0, -0.125]], dtype=torch.bfloat16),
        "b": torch.tensor(7, dtype=torch.bfloat16),
    }
    shapes = {name: value.shape for name, value in weights.items()}
    write_pack(path, weights.items(), shapes=shapes, **{**SMALL, **changed})
    return path


@pytest.fixture
def forge(small: Path) -> Callable[..., Path]:
    """Give a function that rewrites the small pack's header as a lying writer would.

    ``edit(table, planck)`` may change the header's table and the planck object in place; the
    checksum is then made right again, so that only the checks behind it can refuse the file.
    """
    from pytest_anchorgate.pack.manifest import canonical_json, seal

    def rewrite(edit: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
        raw = small.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        table = json.loads(raw[8 : 8 + length])
        planck = json.loads(table.pop("__metadata__")["planck"])
        edit(table, planck)
        planck["checksum"] = "0" * 64
        metadata = {"__metadata__": {"planck": canonical_json(planck)}}
        text = json.dumps({**metadata, **table}, separators=(",", ":"), ensure_ascii=False)
        header = seal(text.encode() + b" " * (-len(text.encode()) % 8))
        small.write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + length :])
        return small

    return rewrite
