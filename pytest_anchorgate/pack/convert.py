"""A Hugging Face directory into a pack, and back.

Weights are rounded to BF16 once, to nearest even, in chunks: beside the source's pages in the
system's cache, packing holds one BF16 tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.architecture import build_model, read_architecture, require_fit
from pytest_anchorgate.pack.atomic import new_directory, write_file
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.manifest import PROMPT_STYLES, canonical_json
from pytest_anchorgate.pack.read import byte_view, fill, iter_tensors, open_binary
from pytest_anchorgate.pack.source import read_source
from pytest_anchorgate.pack.tokenizer import load_tokenizer, require_same_ids
from pytest_anchorgate.pack.write import write_pack, write_safetensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_anchorgate.pack.architecture import Architecture
    from pytest_anchorgate.pack.header import TensorEntry
    from pytest_anchorgate.pack.source import Source

    Progress = Callable[[int, int], None]  # bytes done, bytes in all

CHUNK_ELEMENTS = 1 << 19
TORCH_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def no_progress(done: int, total: int) -> None:
    """Show nothing."""


def pack_directory(
    hf_dir: Path,
    out: Path,
    *,
    provenance: Mapping[str, str] | None = None,
    prompt_style: str | None = None,
    progress: Progress = no_progress,
) -> str:
    """Write the model directory ``hf_dir`` as the pack ``out``; return the sha256 of its bytes.

    The same directory gives the same bytes on any machine. ``provenance`` is added to the digests
    of the source files. Raises `PackError`, before anything is written, for a directory that
    cannot be packed without changing what the model is.
    """
    source = read_source(hf_dir)
    where = f"{hf_dir / 'config.json'}"
    architecture = read_architecture(build_model(where, source.config))
    shapes = {name: entry.shape for name, (_, entry) in source.tensors.items()}
    require_fit(str(hf_dir), architecture, shapes)
    _require_tied_equal(source, architecture)
    config = _explicit_config(source, architecture)
    require_same_ids(hf_dir, source.assets, rows=config["vocab_size"])
    _require_prompt_style(source, prompt_style)
    return write_pack(
        out,
        _rounded_tensors(source, architecture, progress),
        shapes=architecture.shapes,
        config=config,
        generation_config={**source.generation_config, "eos_token_id": _eos_token_ids(source)},
        assets=source.assets,
        provenance={"source_dtype": source.dtypes, **source.digests(), **(provenance or {})},
        prompt_style=prompt_style,
    )


def unpack(path: Path, out_dir: Path, *, progress: Progress = no_progress) -> None:
    """Write the pack at ``path`` as a directory that transformers loads with the same weights.

    ``out_dir`` must be new or empty; it appears whole or not at all. Every digest is verified.
    """
    pack = read_pack(path)
    total = sum(entry.end - entry.begin for entry in pack.weights)
    with new_directory(out_dir) as folder:
        _write_json(folder / "config.json", pack.config)
        if "generation_config.json" not in pack.asset_names:
            _write_json(folder / "generation_config.json", pack.generation_config)
        for name in pack.asset_names:
            write_file(folder / name, pack.asset(name))
        shapes = {entry.name: entry.shape for entry in pack.weights}
        tensors = _counted(iter_tensors(pack), total, progress)
        write_safetensors(folder / "model.safetensors", tensors, shapes)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_file(path, canonical_json(value).encode() + b"\n")


def _counted(
    tensors: Iterator[tuple[str, torch.Tensor]], total: int, progress: Progress
) -> Iterator[tuple[str, torch.Tensor]]:
    done = 0
    for name, tensor in tensors:
        size = tensor.nbytes
        yield name, tensor
        del tensor
        done += size
        progress(done, total)


def _explicit_config(source: Source, architecture: Architecture) -> dict[str, Any]:
    """Return the config with what a reader must not have to look up in transformers' defaults."""
    config = {key: value for key, value in source.config.items() if key != "torch_dtype"}
    config["dtype"] = "bfloat16"
    config["tie_word_embeddings"] = bool(architecture.tied)
    config["max_position_embeddings"] = architecture.context
    config["vocab_size"] = architecture.vocabulary
    return config


def _eos_token_ids(source: Source) -> list[int]:
    for config in (source.generation_config, source.config):
        value = config.get("eos_token_id")
        if value is not None and value != []:
            return value if isinstance(value, list) else [value]
    token = source.tokenizer_config.get("eos_token")
    token = token.get("content") if isinstance(token, dict) else token
    if isinstance(token, str):
        where = f"{source.path / 'tokenizer.json'}"
        found = load_tokenizer(where, source.assets["tokenizer.json"]).token_to_id(token)
        if found is not None:
            return [found]
    raise PackError(
        f"{source.path}: names no end-of-sequence token (tokenizer_config.json says {token!r}), so "
        "no completion would ever end. Set eos_token_id in generation_config.json."
    )


def _require_prompt_style(source: Source, style: str | None) -> None:
    if style is not None and style not in PROMPT_STYLES:
        raise PackError(f"--prompt {style}: no such style. Styles: {', '.join(PROMPT_STYLES)}.")
    has_template = (
        "chat_template.jinja" in source.assets
        or source.tokenizer_config.get("chat_template") is not None
    )
    if style == "chat" and not has_template:
        raise PackError(
            f"{source.path}: prompt style 'chat' needs a chat template, and it has none. "
            "Add chat_template.jinja or choose another style."
        )


def _require_tied_equal(source: Source, architecture: Architecture) -> None:
    for name, origin in architecture.tied.items():
        if name not in source.tensors:
            continue
        pairs = zip(_chunks(source, name), _chunks(source, origin), strict=True)
        if not all(torch.equal(one, other) for one, other in pairs):
            raise PackError(
                f"{source.path}: config.json ties {name!r} to {origin!r}, but they differ. "
                "Set tie_word_embeddings to false, or give the weights that are tied."
            )


def _rounded_tensors(
    source: Source, architecture: Architecture, progress: Progress
) -> Iterator[tuple[str, torch.Tensor]]:
    total = sum(source.tensors[name][1].elements for name in architecture.shapes)
    done = 0
    for name in sorted(architecture.shapes):
        entry = source.tensors[name][1]
        yield name, _rounded(source, name)
        done += entry.elements
        progress(2 * done, 2 * total)


def _rounded(source: Source, name: str) -> torch.Tensor:
    flat = torch.empty(source.tensors[name][1].elements, dtype=torch.bfloat16)
    start = 0
    for chunk in _chunks(source, name):
        flat[start : start + chunk.numel()] = chunk
        start += chunk.numel()
    return flat.reshape(source.tensors[name][1].shape)


def _chunks(source: Source, name: str) -> Iterator[torch.Tensor]:
    """Give the tensor's values as flat BF16 chunks; `PackError` names one that is not finite."""
    path, entry = source.tensors[name]
    dtype = TORCH_DTYPES[entry.dtype]
    with open_binary(path) as fd:
        for start in range(0, entry.elements, CHUNK_ELEMENTS):
            chunk = torch.empty(min(CHUNK_ELEMENTS, entry.elements - start), dtype=dtype)
            fill(path, fd, byte_view(chunk), entry.begin + start * dtype.itemsize)
            yield _finite(path, entry, chunk)


def _finite(path: Path, entry: TensorEntry, chunk: torch.Tensor) -> torch.Tensor:
    rounded = chunk.to(torch.bfloat16)
    if not torch.isfinite(rounded).all():
        bad = chunk[~torch.isfinite(rounded)][0].item()
        what = f"tensor {entry.name!r} holds {bad}, which BF16 cannot give as a finite number"
        raise PackError(f"{path}: {what}. Repair the weights.")
    return rounded
