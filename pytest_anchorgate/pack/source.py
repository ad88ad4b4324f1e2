"""A Hugging Face model directory, read and distrusted, without torch.

Layout: config.json, tokenizer.json, and model.safetensors or its index with shards, as
transformers' ``save_pretrained`` writes them. Nothing is unpickled, no code is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.header import (
    parse_object,
    read_header,
    refuse_lfs_pointer,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_anchorgate.pack.header import Header, TensorEntry

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
FLOATS = ("F32", "F16", "BF16")
ASSET_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
# Where a directory lay and who saved it do not belong to a model's identity.
_ORIGIN_KEYS = {"_name_or_path", "_commit_hash", "_from_model_config", "transformers_version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model directory whose files were read and whose shard headers hold together.

    ``tensors`` maps a name to the shard's path and the entry in it; ``files`` are the names of
    all files that make the model.
    """

    path: Path
    config: dict[str, Any]
    generation_config: dict[str, Any]
    tokenizer_config: dict[str, Any]
    assets: dict[str, bytes]
    tensors: dict[str, tuple[Path, TensorEntry]]
    files: tuple[str, ...]

    @property
    def dtypes(self) -> str:
        """The dtypes of the weights, sorted, joined by commas."""
        return ",".join(sorted({entry.dtype for _, entry in self.tensors.values()}))

    def digests(self) -> dict[str, str]:
        """Return ``source/<file name>`` to sha256 for every file read."""
        return {f"source/{name}": digest_file(self.path / name) for name in self.files}


def read_source(path: Path) -> Source:
    """Return the model directory ``path`` after checking what can be checked without torch.

    Raises `PackError` for a missing config, tokenizer or safetensors file, for remote code,
    quantized or non-float weights, Git LFS pointers and shards that contradict their index.
    """
    if not path.is_dir():
        raise PackError(f"{path}: is not a directory. Give a Hugging Face model directory.")
    config = _read_json(path / "config.json")
    assets = {name: _read(path / name) for name in ASSET_FILES if (path / name).exists()}
    if "tokenizer.json" not in assets:
        raise PackError(
            f"{path}: has no tokenizer.json. Save the tokenizer there in fast form "
            "(`tokenizer.save_pretrained`)."
        )
    _refuse_foreign(path, config)
    tokenizer_config = _asset_object(path, assets, "tokenizer_config.json")
    _refuse_remote_code(path / "tokenizer_config.json", tokenizer_config)
    shards = _read_shards(path)
    tensors = dict(_float_tensors(shards))
    names = ["config.json", *assets, *(header.path.name for header in shards)]
    if not (path / SINGLE).exists():
        names.append(INDEX)
    return Source(
        path=path,
        config=without_origin(config),
        generation_config=without_origin(_asset_object(path, assets, "generation_config.json")),
        tokenizer_config=tokenizer_config,
        assets=assets,
        tensors=tensors,
        files=tuple(sorted(names)),
    )


def without_origin(value: Any) -> Any:
    """Return ``value`` without the keys that say where and by whom it was saved, at any depth."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _ORIGIN_KEYS}
        return {key: without_origin(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [without_origin(item) for item in value]
    return value


def _read(path: Path) -> bytes:
    refuse_lfs_pointer(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def _read_json(path: Path) -> dict[str, Any]:
    return parse_object(_read(path), where=f"{path}:")


def _asset_object(path: Path, assets: dict[str, bytes], name: str) -> dict[str, Any]:
    return parse_object(assets[name], where=f"{path / name}:") if name in assets else {}


def _refuse_foreign(path: Path, config: dict[str, Any]) -> None:
    _refuse_remote_code(path / "config.json", config)
    if (quantization := config.get("quantization_config")) is not None:
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        raise PackError(
            f"{path / 'config.json'}: the weights are quantized ({method}). "
            "Pack the unquantized model (F32, F16 or BF16)."
        )


def _refuse_remote_code(path: Path, config: dict[str, Any]) -> None:
    if (auto_map := config.get("auto_map")) is not None:
        names = ", ".join(sorted(auto_map)) if isinstance(auto_map, dict) else repr(auto_map)
        raise PackError(
            f"{path}: auto_map asks for code from the model's author ({names}). "
            "Pack an architecture that transformers itself has."
        )


def _read_shards(path: Path) -> list[Header]:
    if (path / SINGLE).exists():
        return [read_header(path / SINGLE)]
    if (path / INDEX).exists():
        return _read_indexed(path)
    pickles = sorted(file.name for file in path.glob("*.bin")) + sorted(
        file.name for file in path.glob("*.pt*")
    )
    if pickles:
        raise PackError(
            f"{path}: has its weights only as pickle ({pickles[0]}), which can run code. "
            "Save them as safetensors (`model.save_pretrained`)."
        )
    raise PackError(f"{path}: has no {SINGLE} and no {INDEX}. Give a directory with weights.")


def _read_indexed(path: Path) -> list[Header]:
    index = path / INDEX
    weight_map = _read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise PackError(f"{index}: has no weight_map. Save the model again.")
    for name, file in weight_map.items():
        if not isinstance(file, str) or "/" in file or "\\" in file:
            raise PackError(f"{index}: tensor {name!r} lies in {file!r}. Give a plain file name.")
    shards = [read_header(path / file) for file in sorted(set(weight_map.values()))]
    found = {entry.name: shard.path.name for shard in shards for entry in shard.tensors}
    for name in sorted(weight_map.keys() | found.keys()):
        said, held = weight_map.get(name), found.get(name)
        if said != held:
            what = f"tensor {name!r} should lie in {said}, but lies in {held}"
            raise PackError(f"{index}: {what}. Save the model again.")
    return shards


def _float_tensors(shards: list[Header]) -> Iterator[tuple[str, tuple[Path, TensorEntry]]]:
    seen: dict[str, Path] = {}
    for shard in shards:
        for entry in shard.tensors:
            if entry.dtype not in FLOATS:
                what = f"tensor {entry.name!r} has dtype {entry.dtype}"
                raise PackError(f"{shard.path}: {what}. Pack weights in {', '.join(FLOATS)}.")
            if entry.name in seen:
                what = f"tensor {entry.name!r} also lies in {seen[entry.name].name}"
                raise PackError(f"{shard.path}: {what}. Save the model again.")
            seen[entry.name] = shard.path
            yield entry.name, (shard.path, entry)
