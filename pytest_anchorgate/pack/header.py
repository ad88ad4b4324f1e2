"""The structure of a safetensors file: its header, read and distrusted.

Format: https://github.com/huggingface/safetensors#format. Knows nothing of packs, torch or
numpy; it never maps the file and never allocates more than the file holds.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_anchorgate.errors import PackError

if TYPE_CHECKING:
    from pathlib import Path

LFS_PREFIX = b"version https://git-lfs.github.com/spec/v1"
MAX_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
MAX_DIMENSIONS = 8
MAX_ELEMENTS = 2**63 - 1
DTYPE_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """Where one tensor lies: ``begin`` and ``end`` are byte offsets from the file's start."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """The number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A safetensors header whose tensors fill the file exactly; ``raw`` is its JSON with padding.

    ``tensors`` are in the order of their data.
    """

    path: Path
    size: int
    raw: bytes
    metadata: dict[str, str]
    tensors: tuple[TensorEntry, ...]


def damaged(path: Path, what: str) -> PackError:
    """Return the error for a file whose bytes cannot be what was written."""
    return PackError(f"{path}: {what}. The file is damaged; build or fetch it again.")


def unreadable(path: Path, error: OSError) -> PackError:
    """Return the error for a file that the system will not give."""
    reason = error.strerror or str(error)
    return PackError(f"{path}: cannot be read: {reason}. Give a readable file.")


def read_header(path: Path) -> Header:
    """Return the header of ``path`` after checking that its tensors tile the file.

    Raises `PackError` for a file that is missing, unreadable, a Git LFS pointer or malformed.
    """
    if path.exists() and not path.is_file():  # opening a FIFO would wait for its writer
        raise PackError(f"{path}: is not a regular file. Give a file on a disk.")
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            raw = _read_header_bytes(path, file.fileno(), size)
    except OSError as error:
        raise unreadable(path, error) from None
    table = parse_object(raw, where=f"{path}: the header")
    metadata = _parse_metadata(path, table.pop("__metadata__", {}))
    first = 8 + len(raw)
    entries = [_parse_entry(path, name, value, first) for name, value in table.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    _require_tiling(path, entries, first=first, size=size)
    return Header(path=path, size=size, raw=raw, metadata=metadata, tensors=tuple(entries))


def refuse_lfs_pointer(path: Path) -> None:
    """Raise `PackError` if ``path`` is a Git LFS pointer instead of the file it stands for."""
    try:
        with path.open("rb", buffering=0) as file:
            _refuse_lfs_head(path, file.fileno())
    except OSError as error:
        raise unreadable(path, error) from None


def parse_object(text: bytes, *, where: str) -> dict[str, Any]:
    """Return the JSON object in ``text``, refusing what JSON readers disagree about.

    Raises `PackError` on bytes that are not UTF-8, duplicate keys, NaN and infinities, nesting
    beyond the interpreter's stack, and anything that is not an object.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except UnicodeDecodeError as error:
        raise _malformed(where, f"is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise _malformed(where, "is nested too deeply") from None
    except ValueError as error:
        raise _malformed(where, f"is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise _malformed(where, f"is a JSON {type(value).__name__}, not an object")
    return value


def _malformed(where: str, what: str) -> PackError:
    return PackError(f"{where} {what}. The file is damaged; build or fetch it again.")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} appears twice")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is out of range")
    return value


def _refuse_lfs_head(path: Path, fd: int) -> None:
    if os.pread(fd, len(LFS_PREFIX), 0) != LFS_PREFIX:
        return
    fields = os.pread(fd, 512, 0).decode("utf-8", "replace").split()
    size = fields[fields.index("size") + 1] if "size" in fields[:-1] else "unknown"
    raise PackError(
        f"{path}: is a Git LFS pointer to a file of {size} bytes, not the file itself. "
        "Run `git lfs pull` to fetch it."
    )


def _read_header_bytes(path: Path, fd: int, size: int) -> bytes:
    _refuse_lfs_head(path, fd)
    if size < 8:
        raise damaged(path, f"holds {size} bytes, fewer than the 8 of a header length")
    length = int.from_bytes(os.pread(fd, 8, 0), "little")
    if length > MAX_HEADER_BYTES:
        limit = f"{MAX_HEADER_BYTES} bytes"
        raise damaged(path, f"says that its header has {length} bytes, over the limit of {limit}")
    if length > size - 8:
        raise damaged(path, f"says that its header has {length} bytes, but holds {size} in all")
    raw = os.pread(fd, length, 8)
    if len(raw) != length:
        raise damaged(path, f"ended after {len(raw)} of {length} header bytes")
    return raw


def _parse_metadata(path: Path, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise damaged(path, "its __metadata__ is not an object of strings")
    return value


def _parse_entry(path: Path, name: str, value: Any, first: int) -> TensorEntry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise damaged(path, f"tensor {name!r} does not have exactly dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise damaged(path, f"tensor {name!r} has the unknown dtype {dtype!r}")
    if not _naturals(shape) or len(shape) > MAX_DIMENSIONS:
        raise damaged(path, f"tensor {name!r} has the shape {_short(shape)}, which cannot be")
    if not _naturals(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise damaged(path, f"tensor {name!r} has the data_offsets {_short(offsets)}")
    if math.prod(filter(None, shape)) > MAX_ELEMENTS:
        raise damaged(path, f"tensor {name!r} has the shape {_short(shape)}, which cannot be")
    claimed, held = math.prod(shape) * DTYPE_BYTES[dtype], offsets[1] - offsets[0]
    if claimed != held:
        what = f"shape {_short(shape)} of {dtype} needs {claimed} bytes, its data_offsets {held}"
        raise damaged(path, f"tensor {name!r}: {what}")
    begin, end = first + offsets[0], first + offsets[1]
    return TensorEntry(name=name, dtype=dtype, shape=tuple(shape), begin=begin, end=end)


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_tiling(path: Path, entries: list[TensorEntry], *, first: int, size: int) -> None:
    position = first
    for entry in entries:
        if entry.end > size:
            what = f"tensor {entry.name!r} ends at byte {entry.end}, but the file has {size} bytes"
            raise damaged(path, what)
        if entry.begin < position:
            what = f"begins at byte {entry.begin}, inside the tensor before it (to {position})"
            raise damaged(path, f"tensor {entry.name!r} {what}")
        if entry.begin > position:
            what = f"bytes {position} to {entry.begin} before tensor {entry.name!r} belong to none"
            raise damaged(path, what)
        position = entry.end
    if position != size:
        raise damaged(path, f"has {size} bytes, but its tensors end at byte {position}")
