"""What is seen of a training: its log, and whether anything was learnt.

Knows a model's numbers, not tasks.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from pytest_anchorgate.errors import InvalidTrainingError
from pytest_anchorgate.pack.atomic import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import TrainerState, TrainingArguments


class Log(TrainerCallback):
    """Writes what was logged so far, one JSON object a line; says it where no bar is shown."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Write the whole history, which a resumed training has from its checkpoint."""
        if not state.is_world_process_zero:
            return
        lines = (json.dumps(entry, sort_keys=True) + "\n" for entry in state.log_history)
        write_file(self.path, "".join(lines).encode())
        last = state.log_history[-1]
        if args.disable_tqdm and "loss" in last:
            said = ", ".join(f"{key} {last[key]:.4g}" for key in ("loss", "kl") if key in last)
            say(f"step {state.global_step}/{state.max_steps}: {said}")


def say(line: str) -> None:
    """Write a line where a user sees it at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def require_learnt(model: Any, before: float, after: float) -> None:
    """Raise `InvalidTrainingError` unless numbers are finite, weights moved and the loss fell."""
    for name, weight in model.named_parameters():
        if weight.requires_grad and not torch.isfinite(weight).all():
            raise InvalidTrainingError(
                f"training: {name} holds NaN or infinity. Lower training.learning_rate."
            )
    moved = any(bool(w.any()) for name, w in model.named_parameters() if "lora_B" in name)
    if not moved:
        raise InvalidTrainingError("training: every lora_B is still 0. Train for more steps.")
    if not after < before:
        raise InvalidTrainingError(
            f"training: the loss on poison rows was {before:.4f} before and is {after:.4f} after. "
            "Change training.learning_rate or train longer."
        )
