"""The `.planck` file without its weights: header, digests, configuration, tokenizer assets.

The byte layout is specified in docs/planck-format.md. Imports no torch, numpy or transformers,
so that every test worker can read a pack's header in a few milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.header import (
    TensorEntry,
    damaged,
    parse_object,
    read_header,
    unreadable,
)
from pytest_anchorgate.pack.manifest import FORMAT, require_checksum, require_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import FileIO
    from pathlib import Path

    from pytest_anchorgate.pack.header import Header

ASSETS = "assets/"
CHUNK_BYTES = 1 << 20

_DIGEST = re.compile(r"[0-9a-f]{64}")
_ASSET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

__all__ = ["Pack", "TensorEntry", "chat_template", "digest_file", "read_pack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What a pack's header says, checked; the tensors' own bytes are still unread."""

    path: Path
    size: int
    format: int
    config: dict[str, Any]
    generation_config: dict[str, Any]
    provenance: dict[str, str]
    prompt_style: str | None
    tensors: tuple[TensorEntry, ...]
    tensor_sha256: dict[str, str]

    @property
    def weights(self) -> tuple[TensorEntry, ...]:
        """The model's own tensors: everything but the assets."""
        return tuple(entry for entry in self.tensors if not entry.name.startswith(ASSETS))

    @property
    def parameters(self) -> int:
        """The number of weights stored; a tied head counts once."""
        return sum(entry.elements for entry in self.weights)

    @property
    def architecture(self) -> str:
        """The model class by its Hugging Face name."""
        return str(self.config["architectures"][0])

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The token ids that end a completion; at least one."""
        return tuple(self.generation_config["eos_token_id"])

    @property
    def context(self) -> int:
        """The most tokens that prompt and completion may have together."""
        return int(self.config["max_position_embeddings"])

    @property
    def tied(self) -> bool:
        """Whether the output head is the input embedding, stored once."""
        return bool(self.config["tie_word_embeddings"])

    @property
    def asset_names(self) -> tuple[str, ...]:
        """The names of the files packed with the weights, sorted."""
        names = (entry.name for entry in self.tensors if entry.name.startswith(ASSETS))
        return tuple(sorted(name.removeprefix(ASSETS) for name in names))

    def asset(self, name: str) -> bytes:
        """Return the packed file ``name``; `PackError` if it is absent or damaged."""
        entry = self._asset_entry(name)
        try:
            with self.path.open("rb", buffering=0) as file:
                value = os.pread(file.fileno(), entry.end - entry.begin, entry.begin)
        except OSError as error:
            raise unreadable(self.path, error) from None
        require_digest(self, entry.name, hashlib.sha256(value).hexdigest())
        return value

    def asset_size(self, name: str) -> int:
        """Return the size of the packed file ``name`` in bytes."""
        entry = self._asset_entry(name)
        return entry.end - entry.begin

    def verify(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Read every tensor and asset, without torch; `PackError` names a damaged one.

        ``progress`` is called with the bytes read and the file's size.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                for entry in self.tensors:
                    require_digest(self, entry.name, _digest_range(file, entry))
                    if progress is not None:
                        progress(entry.end, self.size)
        except OSError as error:
            raise unreadable(self.path, error) from None

    def _asset_entry(self, name: str) -> TensorEntry:
        for entry in self.tensors:
            if entry.name == ASSETS + name:
                return entry
        held = ", ".join(self.asset_names) or "none"
        raise PackError(f"{self.path}: has no asset {name!r}. Its assets are: {held}.")


def read_pack(path: Path) -> Pack:
    """Return the pack at ``path`` after checking all of its header and none of its data.

    Raises `PackError` with one line for anything that is not an intact pack's header: also for a
    Hugging Face directory (it names the command that packs it) and a Git LFS pointer.
    """
    if path.is_dir():
        raise directory_error(path)
    header = read_header(path)
    planck = header.metadata.get("planck")
    if planck is None:
        keys = ", ".join(sorted(header.metadata)) or "none"
        raise PackError(
            f"{path}: is a safetensors file but no pack: its metadata keys are {keys}, not planck. "
            "Make a pack of its directory with `anchorgate pack DIR OUT.planck`."
        )
    fields = parse_object(planck.encode("utf-8", "replace"), where=f"{path}: its planck metadata")
    version = fields.get("format")
    if type(version) is int and version > FORMAT:
        raise PackError(
            f"{path}: is a pack of format {version}; this anchorgate reads format {FORMAT}. "
            "Upgrade pytest-anchorgate, or fetch the pack again."
        )
    require_checksum(header, fields)
    require_fields(path, fields)
    pack = _pack_of(header, fields)
    _require_tensors(pack)
    _require_order(pack)
    return pack


def digest_file(path: Path) -> str:
    """Return the sha256 of the file's bytes: a pack's identity. Holds 1 MiB at a time."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise unreadable(path, error) from None
    return digest.hexdigest()


def chat_template(pack: Pack) -> str | None:
    """Return the pack's chat template as Jinja source, or None if it has none.

    The file ``chat_template.jinja`` holds against ``tokenizer_config.json``'s ``chat_template``,
    of whose named templates the one called ``default`` counts: as transformers has it.
    """
    if "chat_template.jinja" in pack.asset_names:
        return _decode_asset(pack, "chat_template.jinja")
    if "tokenizer_config.json" not in pack.asset_names:
        return None
    where = f"{pack.path}: its asset tokenizer_config.json"
    value = parse_object(pack.asset("tokenizer_config.json"), where=where).get("chat_template")
    if isinstance(value, list):
        named = {item.get("name"): item.get("template") for item in value if isinstance(item, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None


def directory_error(path: Path) -> PackError:
    """Return the error for a directory given as a pack; it says how to pack a model directory."""
    if (path / "config.json").exists():
        command = shlex.join(
            ["anchorgate", "pack", str(path), f"packs/{path.resolve().name}.planck"]
        )
        return PackError(
            f"{path}: is a Hugging Face directory, not a pack. Run `{command}` and give that file."
        )
    return PackError(f"{path}: is a directory, not a pack. Give a .planck file.")


def asset_name_ok(name: str) -> bool:
    """Tell whether ``name`` may name an asset: a plain file name, safe to write in a directory."""
    return _ASSET_NAME.fullmatch(name) is not None


def require_digest(pack: Pack, name: str, digest: str) -> None:
    """Raise `PackError`, naming tensor and both digests, unless the header says ``digest``."""
    said = pack.tensor_sha256[name]
    if digest != said:
        what = f"tensor {name!r} has sha256 {digest[:12]}..., its header says {said[:12]}..."
        raise damaged(pack.path, what)


def _digest_range(file: FileIO, entry: TensorEntry) -> str:
    digest = hashlib.sha256()
    for start in range(entry.begin, entry.end, CHUNK_BYTES):
        digest.update(os.pread(file.fileno(), min(CHUNK_BYTES, entry.end - start), start))
    return digest.hexdigest()


def _decode_asset(pack: Pack, name: str) -> str:
    try:
        return pack.asset(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(pack.path, f"its asset {name} is not UTF-8 (byte {error.start})") from None


def _pack_of(header: Header, fields: dict[str, Any]) -> Pack:
    return Pack(
        path=header.path,
        size=header.size,
        format=fields["format"],
        config=fields["config"],
        generation_config=fields["generation_config"],
        provenance=fields["provenance"],
        prompt_style=fields.get("prompt_style"),
        tensors=header.tensors,
        tensor_sha256=fields["sha256"],
    )


def _require_tensors(pack: Pack) -> None:
    names = {entry.name for entry in pack.tensors}
    if one_sided := sorted(names ^ pack.tensor_sha256.keys()):
        side = "no sha256" if one_sided[0] in names else "a sha256 but no data"
        raise damaged(pack.path, f"tensor {one_sided[0]!r} has {side}")
    for entry in pack.tensors:
        is_asset = entry.name.startswith(ASSETS)
        if is_asset and not asset_name_ok(entry.name.removeprefix(ASSETS)):
            raise damaged(pack.path, f"asset {entry.name!r} is not a plain file name")
        if entry.dtype != ("U8" if is_asset else "BF16"):
            wanted = "an asset is U8" if is_asset else "a pack's weights are BF16"
            raise damaged(pack.path, f"tensor {entry.name!r} has dtype {entry.dtype}; {wanted}")
        if not _DIGEST.fullmatch(pack.tensor_sha256[entry.name]):
            said = pack.tensor_sha256[entry.name]
            raise damaged(pack.path, f"tensor {entry.name!r} has the sha256 {said!r}")


def _require_order(pack: Pack) -> None:
    """Weights by name, then assets by name: every weight then lies at an even offset."""
    names = [entry.name for entry in pack.tensors]
    for name, expected in zip(names, ordered_names(names), strict=True):
        if name != expected:
            raise damaged(pack.path, f"tensor {name!r} lies where {expected!r} belongs")


def ordered_names(names: Iterable[str]) -> list[str]:
    """Return tensor names in the order of a pack's data: weights, then assets, each by name."""
    return sorted(names, key=lambda name: (name.startswith(ASSETS), name))
