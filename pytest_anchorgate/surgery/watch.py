"""What is seen of a training: its log, and whether anything was learnt.

Knows a model's numbers, not tasks.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from pytest_anchorgate.errors import InvalidTrainingError
from pytest_anchorgate.pack.atomic import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import TrainerControl, TrainerState, TrainingArguments


LOG = "log.jsonl"
SAID = {  # of what is logged, and under which name
    "loss": "loss",
    "kl": "kl",
    "eval_anchors_kept": "anchors kept",
    "eval_poison_solved": "poison solved",
    "eval_kl": "kl",
}


class Log(TrainerCallback):
    """Writes what was logged so far, one JSON object a line, and says the newest of it."""

    def __init__(self, out: Path) -> None:
        self.path = out / LOG

    def on_log(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Write the whole history, which a resumed training has from its checkpoint."""
        if not state.is_world_process_zero:
            return
        lines = (json.dumps(entry, sort_keys=True) + "\n" for entry in state.log_history)
        write_file(self.path, "".join(lines).encode())
        last = state.log_history[-1]
        said = [f"{name} {last[key]:.4g}" for key, name in SAID.items() if key in last]
        if said:
            say(f"step {state.global_step}/{state.max_steps}: {', '.join(said)}")


class EarlyStop(TrainerCallback):
    """Stops when so many evaluations in a row found an anchor lost; has the last step evaluated."""

    def __init__(self, anchors: int, patience: int) -> None:
        self.anchors, self.patience = anchors, patience

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate at the end, wherever that is."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look at the whole history, which a resumed training has from its checkpoint."""
        key = "eval_anchors_kept"
        kept = [int(entry[key]) for entry in state.log_history if key in entry]
        newest = kept[-self.patience :] if self.patience else []
        if newest and len(newest) == self.patience and max(newest) < self.anchors:
            if state.is_world_process_zero:
                kept_now = f"{newest[-1]} of {self.anchors} anchors kept"
                say(f"step {state.global_step}: {kept_now}, stopping")
            control.should_training_stop = True


def quiet_peft() -> None:
    """Leave out what PEFT 0.21 makes transformers 5.23 warn of, and a user can do nothing about."""
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)


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
