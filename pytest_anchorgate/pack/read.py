"""A pack's weights, each verified while it is read, and never left mapped.

Upcasting from a mapped file raised peak memory to 1.5 times the float32 weights, and from whole
BF16 tensors to 1.3 times (benchmarks/loading.py), so the file is read in chunks, each of them
digested and converted while the processor's cache holds it.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy
import torch

from pytest_anchorgate.pack.format import CHUNK_BYTES, Pack, read_pack, require_digest
from pytest_anchorgate.pack.header import damaged, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from pytest_anchorgate.pack.header import TensorEntry

CHUNK_ELEMENTS = CHUNK_BYTES // 2
READERS = 4


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


def load_tensors(
    pack: Pack, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> dict[str, torch.Tensor]:
    """Return all weights by name, as ``dtype`` on ``device``; BF16 is upcast exactly.

    Beside these weights nothing is held but a chunk of `CHUNK_BYTES` per reader. Digests are
    verified as in `iter_tensors`, in several threads: they cost more than all else of loading.
    """

    def load(entry: TensorEntry) -> torch.Tensor:
        tensor = torch.empty(entry.shape, dtype=dtype, device=device)
        _read_into(pack, fd, entry, tensor, verify=True)
        return tensor

    readers = min(READERS, os.cpu_count() or 1)
    with open_binary(pack.path) as fd, ThreadPoolExecutor(readers, "anchorgate-reader") as pool:
        names = [entry.name for entry in pack.weights]
        return dict(zip(names, pool.map(load, pack.weights), strict=True))


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
    _read_into(pack, fd, entry, tensor, verify=verify)
    return tensor


def _read_into(
    pack: Pack, fd: int, entry: TensorEntry, tensor: torch.Tensor, *, verify: bool
) -> None:
    in_place = tensor.dtype is torch.bfloat16 and tensor.device.type == "cpu"
    buffer = torch.empty(0 if in_place else CHUNK_ELEMENTS, dtype=torch.bfloat16)
    flat = tensor.view(-1)
    digest = hashlib.sha256()
    for start in range(0, len(flat), CHUNK_ELEMENTS):
        part = flat[start : start + CHUNK_ELEMENTS]
        chunk = part if in_place else buffer[: len(part)]
        raw = byte_view(chunk)
        fill(pack.path, fd, raw, entry.begin + 2 * start)
        if verify:
            digest.update(raw)
        if not in_place:
            _copy(chunk, part)
    if verify:
        require_digest(pack, entry.name, digest.hexdigest())


def _copy(chunk: torch.Tensor, part: torch.Tensor) -> None:
    """Convert ``chunk`` into ``part``.

    To float32 by numpy, a BF16 value being the upper half of a float32: torch would share
    each chunk out among threads of its own and wait for them, on a busy machine for long.
    """
    if part.dtype is torch.float32 and part.device.type == "cpu":
        halves, bits = chunk.view(torch.uint16).numpy(), part.numpy().view(numpy.uint32)
        numpy.left_shift(halves, 16, out=bits, dtype=numpy.uint32)
    else:
        part.copy_(chunk)


def byte_view(tensor: torch.Tensor) -> memoryview:
    """Return the bytes of a contiguous CPU tensor, shared with it."""
    flat = tensor.detach().reshape(-1).view(torch.uint8)
    return memoryview(cast("Buffer", flat.numpy()))
