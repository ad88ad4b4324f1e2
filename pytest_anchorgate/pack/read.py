"""A pack's weights, one tensor at a time, each verified and never left mapped.

Upcasting from a mapped file raised peak memory to 1.5 times the float32 weights, so every tensor
is read into a fresh buffer that goes when its consumer lets go of it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from pytest_anchorgate.pack.format import CHUNK_BYTES, Pack, read_pack, require_digest
from pytest_anchorgate.pack.header import damaged, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from pytest_anchorgate.pack.header import TensorEntry


def iter_tensors(
    pack: Pack | Path | str, *, verify: bool = True
) -> Iterator[tuple[str, torch.Tensor]]:
    """Give each weight's name and BF16 tensor in the order of the data, assets left out.

    With ``verify`` each tensor's bytes must have the sha256 that the header says, else `PackError`
    names the tensor and both digests. Drop each tensor before the next to hold one at a time.
    """
    if not isinstance(pack, Pack):
        pack = read_pack(Path(pack))
    with open_binary(pack.path) as fd:
        for entry in pack.weights:
            yield entry.name, _read_weight(pack, fd, entry, verify=verify)


def read_tensor(pack: Pack, name: str, *, verify: bool = True) -> torch.Tensor:
    """Return the one weight ``name`` as a BF16 tensor; `PackError` as in `iter_tensors`."""
    entry = next(entry for entry in pack.weights if entry.name == name)
    with open_binary(pack.path) as fd:
        return _read_weight(pack, fd, entry, verify=verify)


@contextmanager
def open_binary(path: Path) -> Iterator[int]:
    """Hold ``path`` open and give its descriptor."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        yield fd
    finally:
        os.close(fd)


def fill(path: Path, fd: int, buffer: memoryview, offset: int) -> None:
    """Read ``buffer``'s length of bytes at ``offset``; `PackError` if the file ends before."""
    done = 0
    while done < len(buffer):
        try:
            count = os.preadv(fd, [buffer[done:]], offset + done)
        except OSError as error:
            raise unreadable(path, error) from None
        if count == 0:
            raise damaged(path, f"ends at byte {offset + done}, {len(buffer) - done} bytes early")
        done += count


def _read_weight(pack: Pack, fd: int, entry: TensorEntry, *, verify: bool) -> torch.Tensor:
    tensor = torch.empty(entry.shape, dtype=torch.bfloat16)
    raw = byte_view(tensor)
    digest = hashlib.sha256()
    for start in range(0, len(raw), CHUNK_BYTES):
        chunk = raw[start : start + CHUNK_BYTES]
        fill(pack.path, fd, chunk, entry.begin + start)
        if verify:
            digest.update(chunk)
    if verify:
        require_digest(pack, entry.name, digest.hexdigest())
    return tensor


def byte_view(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a contiguous CPU tensor, shared with it."""
    flat = tensor.detach().reshape(-1).view(torch.uint8)
    return memoryview(cast("Buffer", flat.numpy()))
