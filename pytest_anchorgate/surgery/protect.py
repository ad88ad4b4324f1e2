"""What keeps a surgery from losing wins: the divergence from the base, and the null space.

Rows of the base's own answers (replay, rehearsal) are mixed in by the plan; here is what is done
with them. Knows models and tensors, not tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from transformers import TrainerCallback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn

ADAPTER = "default"  # PEFT's name for the only one


def divergence(adapted: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """Return KL(base || adapted) at each position (N,), in nats; logits are (N, V) each.

    Over the full vocabulary: the sum of p log(p / q), p being the base's.
    """
    p, q = base.float().log_softmax(-1), adapted.float().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def lora_layers(model: nn.Module) -> dict[str, Any]:
    """Return the adapted linear layers by name."""
    return {name: one for name, one in model.named_modules() if isinstance(one, LoraLinear)}


@torch.no_grad()
def second_moments(
    model: Any, batches: Iterable[Mapping[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """Return for each adapted layer the mean of x xT over real tokens, (in, in) in float32.

    x is what the layer reads while the base alone answers. Batches stream through: of them only
    the sums stay. In several processes each has its share of the batches, and all get the mean.
    """
    layers = lora_layers(model)
    sums = {
        name: torch.zeros(layer.in_features, layer.in_features, device=layer.weight.device)
        for name, layer in layers.items()
    }
    tokens = torch.zeros((), device=model.device)
    real = torch.empty(0)

    def add(name: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            states = inputs[0][real].float()  # (tokens, in)
            sums[name].addmm_(states.T, states)

        return hook

    hooks = [layer.register_forward_pre_hook(add(name)) for name, layer in layers.items()]
    try:
        with model.disable_adapter():
            for batch in batches:
                real = batch["attention_mask"].bool()
                tokens += real.sum()
                model(
                    input_ids=batch["input_ids"],
                    attention_mask=batch["attention_mask"],
                    logits_to_keep=1,  # what the layers read is all that is wanted
                    use_cache=False,
                )
    finally:
        for handle in hooks:
            handle.remove()
    for total in (tokens, *sums.values()):
        _sum_over_processes(total)
    return {name: total / tokens for name, total in sums.items()}


def _sum_over_processes(total: torch.Tensor) -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)


def principal(moment: torch.Tensor, energy: float) -> torch.Tensor:
    """Return the fewest eigenvectors of ``moment`` (in, in) that carry ``energy`` of its trace.

    The result is (in, k), its columns orthonormal. With ``energy`` 1 these are all whose
    eigenvalue is not lost in rounding.
    """
    return _split(moment, energy)[0]


def _split(moment: torch.Tensor, energy: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the principal directions (in, k), and a basis of all others (in, in - k).

    In float32, which takes half the time, the same directions are found below ``energy`` 1.
    """
    found = torch.linalg.eigh(moment.double() if energy == 1 else moment.float())
    values: torch.Tensor = found.eigenvalues.flip(0).clamp(min=0)  # largest first
    vectors: torch.Tensor = found.eigenvectors.flip(1).float()
    if not values[0] > 0:
        return vectors[:, :0], vectors
    reached = values.double().cumsum(0) / values.double().sum()
    real = int((values > values[0] * torch.finfo(torch.float32).eps).sum())
    count = min(real, int((reached < energy).sum()) + 1)
    return vectors[:, :count], vectors[:, count:]


class _Projection:
    """One layer's A (rank, in) without its taken directions; the smaller basis is kept."""

    def __init__(self, weight: torch.Tensor, taken: torch.Tensor, free: torch.Tensor) -> None:
        self.weight, self.free = weight, int(free.shape[1])
        self._keeps = free.shape[1] < taken.shape[1]
        self._basis = (free if self._keeps else taken).clone()  # not a view of the larger one

    @torch.no_grad()
    def apply(self) -> None:
        """Project A in place."""
        inside = ((self.weight.float() @ self._basis) @ self._basis.T).to(self.weight.dtype)
        if self._keeps:
            self.weight.copy_(inside)
        else:
            self.weight.sub_(inside)


class NullSpace(TrainerCallback):
    """Keeps each adapter's A off the directions that protected tokens use.

    With x in these directions A x is zero, so the adapter adds nothing there. A is projected before
    training and after every optimizer step, by every process for itself.
    """

    def __init__(
        self, model: nn.Module, moments: Mapping[str, torch.Tensor], energy: float
    ) -> None:
        layers = lora_layers(model)
        self._projections = [
            _Projection(layers[name].lora_A[ADAPTER].weight, *_split(moment, energy))
            for name, moment in moments.items()
        ]
        self.project()

    @property
    def free(self) -> float:
        """Which share of all input directions the adapters may still read."""
        width = sum(int(one.weight.shape[1]) for one in self._projections)
        return sum(one.free for one in self._projections) / width

    def project(self) -> None:
        """Take the protected directions out of every A, (rank, in)."""
        for one in self._projections:
            one.apply()

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Project again what the optimizer has moved."""
        self.project()
