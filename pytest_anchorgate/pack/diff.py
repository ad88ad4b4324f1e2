"""What a surgery did to the weights: two packs compared tensor by tensor."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from pytest_anchorgate.pack.format import Pack, read_pack
from pytest_anchorgate.pack.read import read_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

CHUNK_ELEMENTS = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDiff:
    """How one tensor changed: norms of ``b - a`` and of ``a`` (Frobenius), and changed values."""

    name: str
    shape: tuple[int, ...]
    elements: int
    changed: int
    change_norm: float
    norm: float

    @property
    def relative_norm(self) -> float:
        """The norm of the change over the norm of ``a``; infinite where ``a`` is all zeros."""
        if self.change_norm == 0:
            return 0.0
        return self.change_norm / self.norm if self.norm else math.inf

    @property
    def changed_share(self) -> float:
        """The share of values whose bits differ, from 0 to 1 (0 and -0 differ)."""
        return self.changed / self.elements if self.elements else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDiff:
    """Two packs compared; ``tensors`` has the largest relative change first.

    ``reshaped`` maps a name to the shapes in a and in b; such tensors are not in ``total``.
    """

    tensors: tuple[TensorDiff, ...]
    total: TensorDiff
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    changed_assets: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all weights and assets are equal bit by bit."""
        sides = self.only_in_a or self.only_in_b or self.reshaped or self.changed_assets
        return not sides and self.total.changed == 0


def diff_packs(
    a: Path | Pack, b: Path | Pack, *, progress: Callable[[int, int], None] | None = None
) -> PackDiff:
    """Return how pack ``b`` differs from pack ``a``, accumulated in float64.

    Holds one pair of tensors at a time, of which both are verified. Raises `PackError` for a
    damaged tensor, naming it. ``progress`` is called with the tensors compared and their number.
    """
    one, other = (_as_pack(pack) for pack in (a, b))
    before, after = ({entry.name: entry.shape for entry in pack.weights} for pack in (one, other))
    common = [name for name in before if name in after]
    alike = [name for name in common if before[name] == after[name]]
    diffs = []
    for done, name in enumerate(alike, 1):
        diffs.append(_diff_tensor(one, other, name))
        if progress is not None:
            progress(done, len(alike))
    return PackDiff(
        tensors=tuple(sorted(diffs, key=lambda diff: (-diff.relative_norm, diff.name))),
        total=_total(diffs),
        only_in_a=tuple(sorted(before.keys() - after.keys())),
        only_in_b=tuple(sorted(after.keys() - before.keys())),
        reshaped={n: (before[n], after[n]) for n in common if before[n] != after[n]},
        changed_assets=_changed_assets(one, other),
    )


def render_diff(diff: PackDiff) -> str:
    """Return the comparison as a text table, one line per tensor and the total."""
    lines = ["relative norm   changed  tensor"]
    lines += [_row(tensor) for tensor in diff.tensors if tensor.changed]
    unchanged = sum(not tensor.changed for tensor in diff.tensors)
    if unchanged:
        lines.append(f"{'unchanged':>13}  {'':8}  {unchanged} of {len(diff.tensors)} tensors")
    lines += [f"only in the first pack:  {name}" for name in diff.only_in_a]
    lines += [f"only in the second pack: {name}" for name in diff.only_in_b]
    for name, (was, now) in sorted(diff.reshaped.items()):
        lines.append(f"other shape: {name}: {list(was)} became {list(now)}")
    lines += [f"other file:  {name}" for name in diff.changed_assets]
    return "\n".join([*lines, _row(diff.total)])


def diff_json(diff: PackDiff) -> str:
    """Return the comparison as JSON; an infinite relative norm is null."""
    value = {
        "same": diff.same,
        "total": _tensor_json(diff.total),
        "tensors": [_tensor_json(tensor) for tensor in diff.tensors],
        "only_in_a": diff.only_in_a,
        "only_in_b": diff.only_in_b,
        "reshaped": diff.reshaped,
        "changed_assets": diff.changed_assets,
    }
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False)


def _row(diff: TensorDiff) -> str:
    return f"{diff.relative_norm:13.3e}  {diff.changed_share:8.2%}  {diff.name} {list(diff.shape)}"


def _tensor_json(diff: TensorDiff) -> dict[str, object]:
    relative = diff.relative_norm if math.isfinite(diff.relative_norm) else None
    return {**asdict(diff), "relative_norm": relative, "changed_share": diff.changed_share}


def _as_pack(pack: Path | Pack) -> Pack:
    return pack if isinstance(pack, Pack) else read_pack(pack)


def _diff_tensor(a: Pack, b: Pack, name: str) -> TensorDiff:
    one, other = read_tensor(a, name), read_tensor(b, name)
    was, now = one.reshape(-1), other.reshape(-1)
    squares, changed = 0.0, 0
    for start in range(0, was.numel(), CHUNK_ELEMENTS):
        old, new = was[start : start + CHUNK_ELEMENTS], now[start : start + CHUNK_ELEMENTS]
        squares += float((new.double() - old.double()).square().sum())
        changed += int((old.view(torch.int16) != new.view(torch.int16)).sum())
    return TensorDiff(
        name=name,
        shape=tuple(one.shape),
        elements=one.numel(),
        changed=changed,
        change_norm=math.sqrt(squares),
        norm=math.sqrt(_squares(was)),
    )


def _squares(flat: torch.Tensor) -> float:
    chunks = (
        flat[start : start + CHUNK_ELEMENTS] for start in range(0, flat.numel(), CHUNK_ELEMENTS)
    )
    return math.fsum(float(chunk.double().square().sum()) for chunk in chunks)


def _total(diffs: Iterable[TensorDiff]) -> TensorDiff:
    rows = list(diffs)
    elements = sum(row.elements for row in rows)
    return TensorDiff(
        name="total",
        shape=(elements,),
        elements=elements,
        changed=sum(row.changed for row in rows),
        change_norm=math.sqrt(math.fsum(row.change_norm**2 for row in rows)),
        norm=math.sqrt(math.fsum(row.norm**2 for row in rows)),
    )


def _changed_assets(a: Pack, b: Pack) -> tuple[str, ...]:
    names = {entry.name for entry in (*a.tensors, *b.tensors)}
    names -= {entry.name for entry in (*a.weights, *b.weights)}
    differ = (name for name in names if a.tensor_sha256.get(name) != b.tensor_sha256.get(name))
    return tuple(sorted(differ))
