"""Linear layers computed by oneDNN where torch would take MKL: float32 on a CPU.

How much faster that is at the shapes of Qwen2.5-0.5B, benchmarks/scaling.py measures. Weights stay
as they are; the products differ in rounding alone. Knows no model.
"""

from __future__ import annotations

import torch
from torch import nn


class OneDnnLinear(nn.Linear):
    """A linear layer without gradients, computed by oneDNN."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return ``input`` (..., in) times the weight, plus the bias: (..., out)."""
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            input, self.weight, self.bias, "none", [], ""
        )
        return product


def use_onednn(model: nn.Module) -> None:
    """Let oneDNN compute a model's linear layers, where it is there and they are float32."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call] # torch's
    if not there:
        return
    for module in model.modules():
        if type(module) is nn.Linear and _is_plain(module.weight):
            module.__class__ = OneDnnLinear


def _is_plain(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.float32
