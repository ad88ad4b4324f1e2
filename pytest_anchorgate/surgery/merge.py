"""Folding an adapter into a pack: in float32, rounded once, and looked at afterwards.

An adapter is a directory as PEFT writes it. Knows nothing of training.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.convert import no_progress
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.provenance import TRAINED_ON, render_trained_on, trained_on
from pytest_anchorgate.pack.read import iter_tensors
from pytest_anchorgate.pack.write import write_pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_anchorgate.pack.convert import Progress
    from pytest_anchorgate.pack.format import Pack

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # PEFT's, before the model's own names
# What changes more than W + scale B A, and what PEFT writes where it is not used.
PLAIN: dict[str, Any] = {
    "use_dora": False,
    "bias": "none",
    "lora_bias": False,
    "fan_in_fan_out": False,
    "modules_to_save": None,
    "target_parameters": None,
    "trainable_token_indices": None,
    "layer_replication": None,
    "rank_pattern": {},
    "alpha_pattern": {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """LoRA pairs by the name of the weight that they change: A (rank, in) and B (out, rank)."""

    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]
    scale: float

    def change(self, name: str) -> torch.Tensor:
        """Return scale B A for a weight, (out, in) in float32."""
        a, b = self.pairs[name]
        return self.scale * (b.float() @ a.float())


@dataclass(slots=True, kw_only=True)
class Merged:
    """What came of a merge. ``survived``: the change that is left, as a share of what was meant."""

    sha256: str = ""
    weights: int = 0  # in the changed tensors
    moved: int = 0  # of these, whose bits changed
    meant: float = field(default=0.0, repr=False)  # sum of squares of the exact change
    left: float = field(default=0.0, repr=False)  # the rounded change, along the exact one

    @property
    def survived(self) -> float:
        """<rounded change, exact change> / |exact change|^2; 1 for no rounding, 0 for none left."""
        return self.left / self.meant if self.meant else 0.0


def read_adapter(directory: Path) -> Adapter:
    """Return the LoRA adapter of a directory as PEFT writes it.

    :raises PackError: in one line, for a directory that holds none, or one whose merge is more
        than adding scale B A.
    """
    config = _read_config(directory)
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    found: dict[str, dict[str, torch.Tensor]] = {}
    try:
        with safe_open(directory / WEIGHTS, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - it is no dict
                module, _, kind = key.removesuffix(".weight").removeprefix(PREFIX).rpartition(".")
                if kind not in ("lora_A", "lora_B"):
                    raise PackError(
                        f"{directory}: {key!r} is no LoRA matrix. Train with LoRA alone."
                    )
                found.setdefault(f"{module}.weight", {})[kind] = file.get_tensor(key)
    except (OSError, SafetensorError) as error:
        raise PackError(f"{directory / WEIGHTS}: cannot be read: {error}. Train again.") from None
    return Adapter(pairs=_pairs(directory, found, rank), scale=scale)


def _read_config(directory: Path) -> dict[str, Any]:
    path = directory / CONFIG
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is not JSON"
        raise PackError(
            f"{path}: cannot be read: {why}. Name a PEFT adapter's directory."
        ) from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else config
        raise PackError(f"{path}: peft_type = {kind!r} is not 'LORA'. Train with LoRA.")
    for key, plain in PLAIN.items():
        value = config.get(key, plain)
        if value != plain and (value or plain):
            raise PackError(f"{path}: {key} = {value!r} is more than a sum. Train without it.")
    for key in ("r", "lora_alpha"):
        if not isinstance(config.get(key), int | float) or config[key] <= 0:
            raise PackError(f"{path}: {key} = {config.get(key)!r} is no positive number. Mend it.")
    return config


def _pairs(
    directory: Path, found: Mapping[str, Mapping[str, torch.Tensor]], rank: int
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    pairs = {}
    for name, kinds in sorted(found.items()):
        if missing := {"lora_A", "lora_B"} - kinds.keys():
            raise PackError(f"{directory}: {name!r} has no {min(missing)}. Train again.")
        a, b = kinds["lora_A"], kinds["lora_B"]
        if a.dim() != 2 or b.dim() != 2 or a.shape[0] != rank or b.shape[1] != rank:
            shapes = f"{list(a.shape)} and {list(b.shape)}"
            raise PackError(f"{directory}: {name!r} has A and B of {shapes}, not of rank {rank}.")
        for kind, tensor in (("lora_A", a), ("lora_B", b)):
            if not torch.isfinite(tensor).all():
                raise PackError(
                    f"{directory}: {kind} of {name!r} holds NaN or infinity. Train with a lower "
                    "learning rate."
                )
        pairs[name] = a, b
    if not pairs:
        raise PackError(f"{directory}: holds no LoRA matrix. Train first.")
    return pairs


def require_targets(adapter: Adapter, base: Pack, where: str) -> None:
    """Raise `PackError` naming the first weight that the base lacks or has in another shape."""
    shapes = {entry.name: tuple(entry.shape) for entry in base.weights}
    for name, (a, b) in adapter.pairs.items():
        if name not in shapes:
            raise PackError(
                f"{where}: changes {name!r}, which {base.path} lacks. Give its own base."
            )
        if shapes[name] != (b.shape[0], a.shape[1]):
            found, wanted = [b.shape[0], a.shape[1]], list(shapes[name])
            raise PackError(
                f"{where}: changes {name!r} as {found}, and {base.path} has {wanted}. Give its own."
            )


def merge_adapter(
    base: Path,
    directory: Path,
    out: Path,
    *,
    strength: float = 1.0,
    provenance: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Merged:
    """Write the pack ``out``: the base plus ``strength`` times the adapter's change.

    One tensor at a time passes through: W + strength scale B A in float32, rounded to BF16 once.

    :raises PackError: for an adapter that does not fit, or when a weight becomes NaN or infinite;
        then nothing is written.
    """
    pack, adapter, merged = read_pack(base), read_adapter(directory), Merged()
    require_targets(adapter, pack, str(directory))
    merged.sha256 = write_pack(
        out,
        _changed(pack, adapter, strength, merged, progress),
        shapes={entry.name: entry.shape for entry in pack.weights},
        config=pack.config,
        generation_config=pack.generation_config,
        assets={name: pack.asset(name) for name in pack.asset_names},
        provenance={
            TRAINED_ON: render_trained_on(trained_on(pack)),
            "base_sha256": digest_file(base),
            "adapter_sha256": digest_file(directory / WEIGHTS),
            **({} if strength == 1 else {"strength": f"{strength:g}"}),
            **(provenance or {}),
        },
        prompt_style=pack.prompt_style,
    )
    return merged


def changed_weights(
    pack: Pack, adapter: Adapter, strength: float
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights that the adapter changes, as the merged pack will hold them, in BF16."""
    for name, weight in iter_tensors(pack):
        if name in adapter.pairs:
            yield name, _rounded(weight, strength * adapter.change(name))


def _rounded(weight: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    return (weight.float() + change).to(torch.bfloat16)


def _changed(
    pack: Pack, adapter: Adapter, strength: float, merged: Merged, progress: Progress
) -> Iterator[tuple[str, torch.Tensor]]:
    for number, (name, weight) in enumerate(iter_tensors(pack), 1):
        progress(number, len(pack.weights))
        if name in adapter.pairs:
            change = strength * adapter.change(name)
            rounded = _rounded(weight, change)
            merged.weights += weight.numel()
            merged.moved += int((rounded != weight).sum())
            merged.meant += float(change.double().square().sum())
            merged.left += float(((rounded.float() - weight.float()).double() * change).sum())
            yield name, rounded
        else:
            yield name, weight
