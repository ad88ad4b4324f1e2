"""transformers' Trainer on planned rows: the loss on completions, and the divergence from the base.

Knows token ids and models, not tasks or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer

from pytest_anchorgate.surgery.protect import divergence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.surgery.examples import Example

IGNORED = -100  # torch's word for a label that does not count


class Collate:
    """Makes one batch of planned draws: each is a poison example with what is mixed to it."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, draws: Sequence[Sequence[Example]]) -> dict[str, torch.Tensor]:
        """Return ids, mask and labels (B, T), and which rows are the base's own answers (B,)."""
        return batch_of([example for draw in draws for example in draw], pad=self.pad)


def batch_of(examples: Sequence[Example], *, pad: int) -> dict[str, torch.Tensor]:
    """Return examples as tensors, padded on the right; prompts and padding are not supervised."""
    width = max(example.length for example in examples)
    ids, mask, labels = [], [], []
    for example in examples:
        prompt, completion = example.prompt_ids, example.completion_ids
        room = width - example.length
        ids.append([*prompt, *completion] + [pad] * room)
        mask.append([1] * example.length + [0] * room)
        labels.append([IGNORED] * len(prompt) + list(completion) + [IGNORED] * room)
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "labels": torch.tensor(labels),
        "protected": torch.tensor([example.protected for example in examples]),
    }


def supervised_logits(
    model: Any, inputs: dict[str, torch.Tensor], rows: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits (N, V) that decide the N supervised tokens, and these tokens (N,).

    The output layer is computed in columns only where some row has one. ``rows`` (B,) chooses rows.
    """
    chosen = inputs if rows is None else {name: value[rows] for name, value in inputs.items()}
    labels = chosen["labels"][:, 1:]
    counts = labels != IGNORED
    columns = counts.any(0).nonzero().squeeze(1)
    logits = model(
        input_ids=chosen["input_ids"],
        attention_mask=chosen["attention_mask"],
        logits_to_keep=columns,
        use_cache=False,
    ).logits
    counts = counts[:, columns]
    return logits[counts], labels[:, columns][counts]


class SurgeryTrainer(Trainer):
    """Adds ``kl_weight`` times the divergence on protected rows to the loss of all rows."""

    loss_is_scaled_for_ga = False  # it is a mean over one batch

    def __init__(self, *, kl_weight: float = 0.0, **more: Any) -> None:
        super().__init__(**more)
        self.kl_weight = kl_weight
        self._divergences: list[torch.Tensor] = []

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return the mean loss over this batch's supervised tokens."""
        logits, tokens = supervised_logits(model, inputs)
        loss = cross_entropy(logits.float(), tokens)
        rows = inputs["protected"]
        if not self.kl_weight or not rows.any():
            return loss
        own = rows[:, None].expand_as(inputs["labels"])[:, 1:][inputs["labels"][:, 1:] != IGNORED]
        plain = self.accelerator.unwrap_model(model)
        with torch.no_grad(), plain.disable_adapter():
            base, _ = supervised_logits(plain, inputs, rows)
        away = divergence(logits[own], base)
        self._divergences.append(away.detach())
        return loss + self.kl_weight * away

    def log(self, logs: dict[str, float], *more: Any, **named: Any) -> None:
        """Log what the Trainer says, with the mean divergence since the last time."""
        if self._divergences and "loss" in logs:
            logs["kl"] = float(torch.stack(self._divergences).mean())
            self._divergences.clear()
        super().log(logs, *more, **named)


@torch.no_grad()
def mean_loss(model: Any, examples: Sequence[Example], *, batch: int, pad: int) -> float:
    """Return the mean loss over all supervised tokens of these examples, nothing being trained."""
    training = model.training
    model.eval()
    total, count = 0.0, 0
    for start in range(0, len(examples), batch):
        inputs = batch_of(examples[start : start + batch], pad=pad)
        inputs = {name: value.to(model.device) for name, value in inputs.items()}
        logits, tokens = supervised_logits(model, inputs)
        total += float(cross_entropy(logits.float(), tokens, reduction="sum"))
        count += len(tokens)
    model.train(training)
    return total / count
