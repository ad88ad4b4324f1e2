"""Writes packs: deterministic, streaming, atomic.

The same tensors and metadata give the same bytes on any machine. One tensor at a time passes
through; their sizes must be known before, because the header comes first in the file.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import torch

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.atomic import replace_file
from pytest_anchorgate.pack.format import (
    ASSETS,
    CHUNK_BYTES,
    asset_name_ok,
    digest_file,
    ordered_names,
    read_pack,
)
from pytest_anchorgate.pack.manifest import FORMAT, UNSEALED, canonical_json, model_problem, seal
from pytest_anchorgate.pack.read import byte_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

CHUNK_ELEMENTS = 1 << 19


def write_pack(
    path: Path,
    tensors: Iterable[tuple[str, torch.Tensor]],
    *,
    shapes: Mapping[str, Sequence[int]],
    config: Mapping[str, Any],
    generation_config: Mapping[str, Any],
    assets: Mapping[str, bytes],
    provenance: Mapping[str, str] | None = None,
    prompt_style: str | None = None,
) -> str:
    """Write the pack ``path`` and return the sha256 of its bytes.

    ``tensors`` gives each name of ``shapes`` once, in any order, as a finite BF16 tensor of that
    shape; it may be a generator, and nothing of it is kept. ``assets`` maps file names to bytes.
    A kill leaves the old file or the new one. `PackError` names the tensor that does not fit.
    """
    _require_writable(path, shapes, config, generation_config, assets)
    manifest: dict[str, Any] = {
        "checksum": UNSEALED,
        "config": dict(config),
        "format": FORMAT,
        "generation_config": dict(generation_config),
        "provenance": dict(provenance or {}),
        "sha256": dict.fromkeys([*shapes, *(ASSETS + name for name in assets)], UNSEALED),
    }
    if prompt_style is not None:
        manifest["prompt_style"] = prompt_style
    layout = _weights_layout(shapes)
    layout |= {ASSETS + name: ("U8", (len(value),)) for name, value in assets.items()}
    with replace_file(path) as file:
        first = len(_encode(path, manifest, layout))
        manifest["sha256"] = dict(_write_weights(path, file, tensors, layout, first))
        manifest["sha256"] |= dict(_write_assets(file, assets, layout, first))
        header = _encode(path, manifest, layout)
        _write_at(file, header[:8] + seal(header[8:]), 0)
    read_pack(path)
    return digest_file(path)


def write_safetensors(
    path: Path, tensors: Iterable[tuple[str, torch.Tensor]], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Write BF16 ``tensors`` as a plain safetensors file, as transformers expects it."""
    layout = _weights_layout(shapes)
    header = _encode_header({"format": "pt"}, layout)
    with replace_file(path) as file:
        _write_at(file, header, 0)
        for _ in _write_weights(path, file, tensors, layout, len(header)):
            pass


Layout = dict[str, tuple[str, tuple[int, ...]]]  # name to dtype and shape


def _encode(path: Path, manifest: Mapping[str, Any], layout: Layout) -> bytes:
    try:
        return _encode_header({"planck": canonical_json(manifest)}, layout)
    except (TypeError, ValueError) as error:  # NaN, a lone surrogate, a value JSON has no word for
        raise PackError(
            f"{path}: its metadata has no JSON text: {error}. Give plain JSON values."
        ) from None


def _encode_header(metadata: Mapping[str, str], layout: Layout) -> bytes:
    table: dict[str, Any] = {}
    for name, (begin, end) in _offsets(layout).items():
        dtype, shape = layout[name]
        table[name] = {"data_offsets": [begin, end], "dtype": dtype, "shape": list(shape)}
    # Joined by hand: the metadata comes first, the tensors in the order of their data.
    parts = [f'"__metadata__":{canonical_json(metadata)}']
    parts += [f"{canonical_json({name: value})[1:-1]}" for name, value in table.items()]
    text = ("{" + ",".join(parts) + "}").encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _offsets(layout: Layout) -> dict[str, tuple[int, int]]:
    offsets, position = {}, 0
    for name in ordered_names(layout):
        dtype, shape = layout[name]
        count = torch.Size(shape).numel() * (2 if dtype == "BF16" else 1)
        offsets[name] = (position, position + count)
        position += count
    return offsets


def _write_weights(
    path: Path,
    file: BinaryIO,
    tensors: Iterable[tuple[str, torch.Tensor]],
    layout: Layout,
    first: int,
) -> Iterator[tuple[str, str]]:
    offsets = _offsets(layout)
    open_names = {name for name, (dtype, _) in layout.items() if dtype == "BF16"}
    for name, tensor in tensors:
        if name not in open_names:
            raise PackError(
                f"{path}: tensor {name!r} was not expected, or came twice. Give each once."
            )
        open_names.remove(name)
        _require_weight(path, name, tensor, layout[name][1])
        yield name, _write_tensor(path, file, name, tensor, first + offsets[name][0])
        del tensor
    if open_names:
        raise PackError(f"{path}: tensor {min(open_names)!r} never came. Give each tensor once.")


def _require_weight(path: Path, name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tensor.dtype is not torch.bfloat16:
        raise PackError(f"{path}: tensor {name!r} has dtype {tensor.dtype}. Round it to bfloat16.")
    if tuple(tensor.shape) != shape:
        found = list(tensor.shape)
        raise PackError(f"{path}: tensor {name!r} has shape {found}, not {list(shape)}. Give that.")


def _write_tensor(path: Path, file: BinaryIO, name: str, tensor: torch.Tensor, at: int) -> str:
    digest = hashlib.sha256()
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    for start in range(0, flat.numel(), CHUNK_ELEMENTS):
        chunk = flat[start : start + CHUNK_ELEMENTS]
        if not torch.isfinite(chunk).all():
            raise PackError(f"{path}: tensor {name!r} holds NaN or infinity. Repair the weights.")
        raw = byte_view(chunk)
        digest.update(raw)
        _write_at(file, raw, at + 2 * start)
    return digest.hexdigest()


def _write_assets(
    file: BinaryIO, assets: Mapping[str, bytes], layout: Layout, first: int
) -> Iterator[tuple[str, str]]:
    offsets = _offsets(layout)
    for name, value in assets.items():
        _write_at(file, value, first + offsets[ASSETS + name][0])
        yield ASSETS + name, hashlib.sha256(value).hexdigest()


def _write_at(file: BinaryIO, value: bytes | memoryview, at: int) -> None:
    view, done = memoryview(value), 0
    while done < len(view):
        done += os.pwrite(file.fileno(), view[done : done + CHUNK_BYTES], at + done)


def _weights_layout(shapes: Mapping[str, Sequence[int]]) -> Layout:
    return {name: ("BF16", tuple(shape)) for name, shape in shapes.items()}


def _require_writable(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    config: Mapping[str, Any],
    generation_config: Mapping[str, Any],
    assets: Mapping[str, bytes],
) -> None:
    if problem := model_problem(config, generation_config):
        raise PackError(f"{path}: {problem}. Give the writer a whole configuration.")
    for name in assets:
        if not asset_name_ok(name):
            raise PackError(f"{path}: asset {name!r} is not a plain file name. Rename the file.")
    for name in shapes:
        if name.startswith(ASSETS) or name == "__metadata__":
            raise PackError(f"{path}: tensor {name!r} has a name kept for the pack. Rename it.")
