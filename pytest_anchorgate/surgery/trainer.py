"""transformers' Trainer on planned rows: the loss on completions, and the divergence from the base.

Knows token ids and models, not tasks or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import broadcast_object_list
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainingArguments

from pytest_anchorgate.surgery.protect import divergence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_anchorgate.surgery.examples import Example
    from pytest_anchorgate.surgery.recipe import Training

SCHEDULES = {"constant": "constant_with_warmup"}  # where transformers' word is another
CHECKPOINTS_KEPT = 2  # the newest and the best
IGNORED = -100  # torch's word for a label that does not count


class Collate:
    """Makes one batch of planned draws: each is a poison example with what is mixed to it."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, draws: Sequence[Sequence[Example]]) -> dict[str, torch.Tensor]:
        """Return ids, mask and labels (B, T), and which rows are protected and supervised (B,)."""
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
        "supervised": torch.tensor([example.supervised for example in examples]),
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


def rows_of_tokens(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return which row each of the N supervised tokens is of, (N,), in their order."""
    return (inputs["labels"][:, 1:] != IGNORED).nonzero()[:, 0]


class SurgeryTrainer(Trainer):
    """Adds ``kl_weight`` times the divergence on protected rows to the loss of supervised rows.

    Both are sums over tokens, divided by all tokens of an optimizer step: how these are spread
    over passes and processes changes nothing. ``score`` tells what the model solves.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        kl_weight: float = 0.0,
        score: Callable[[Any], dict[str, float]] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.model_accepts_loss_kwargs = True  # so that a step's tokens are counted
        self.kl_weight = kl_weight
        self.score = score
        self._divergences: list[torch.Tensor] = []

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return this batch's share of the step's loss, times the number of processes."""
        assert num_items_in_batch is not None, "a step's tokens are counted where it has labels"
        logits, tokens = supervised_logits(model, inputs)
        rows = rows_of_tokens(inputs)
        losses = cross_entropy(logits.float(), tokens, reduction="none")
        total = losses[inputs["supervised"][rows]].sum()
        if self.kl_weight and inputs["protected"].any():
            total = total + self.kl_weight * self._away(model, inputs, logits, rows)
        share: torch.Tensor = total * self.accelerator.num_processes / num_items_in_batch
        return share

    def _away(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor | Any],
        logits: torch.Tensor,
        rows: torch.Tensor,
    ) -> torch.Tensor:
        """Return the divergence from the base, summed over the protected rows' tokens."""
        plain = self.accelerator.unwrap_model(model)
        with torch.no_grad(), plain.disable_adapter():
            base, _ = supervised_logits(plain, inputs, inputs["protected"])
        away: torch.Tensor = divergence(logits[inputs["protected"][rows]], base)
        self._divergences.append(away.detach())
        return away.sum()

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return and log what the model solves, every number with ``eval_`` before its name.

        All processes ask, and go by what the first one found: a program may run out of time in one.
        """
        assert self.score is not None, "evaluated only where there is something to score"
        model = self.accelerator.unwrap_model(self.model)
        (found,) = broadcast_object_list([self.score(model)])
        metrics = {f"eval_{name}": value for name, value in found.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def log(self, logs: dict[str, float], *more: Any, **named: Any) -> None:
        """Log what the Trainer says, with the mean divergence since the last time."""
        if self.kl_weight and "loss" in logs:
            away = torch.cat([torch.zeros(0, device=self.args.device), *self._divergences])
            sums = torch.stack([away.sum(), torch.ones_like(away).sum()])
            total, count = self.accelerator.reduce(sums, "sum").tolist()
            if count:
                logs["kl"] = total / count
            self._divergences.clear()
        super().log(logs, *more, **named)


def training_arguments(
    training: Training, folder: Path, *, steps: int, device: str, evaluated: bool
) -> TrainingArguments:
    """Return what transformers calls the schedule; checkpoints go into ``folder``."""
    every = min(training.evaluate_every, steps)
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,  # the plan has all epochs in it
        max_steps=steps,
        per_device_train_batch_size=training.batch,
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULES.get(training.schedule, training.schedule),
        warmup_steps=int(training.warmup * steps),
        weight_decay=0.0,
        bf16=training.precision == "bfloat16",
        seed=training.seed,
        logging_steps=max(1, min(10, steps // 10)),
        eval_strategy="steps" if evaluated else "no",
        eval_steps=every,
        save_steps=every,
        save_total_limit=CHECKPOINTS_KEPT,
        load_best_model_at_end=evaluated,
        metric_for_best_model="eval_rank" if evaluated else None,
        greater_is_better=True if evaluated else None,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        report_to="none",
        use_cpu=device == "cpu",
        disable_tqdm=True,  # Log says each step that is logged
        dataloader_pin_memory=False,
        ddp_find_unused_parameters=False,  # every pass reads every adapter
    )


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


@torch.no_grad()
def mean_divergence(model: Any, examples: Sequence[Example], *, batch: int, pad: int) -> float:
    """Return the mean KL(base || adapted) over these examples' completions, in nats."""
    away = []
    for start in range(0, len(examples), batch):
        inputs = batch_of(examples[start : start + batch], pad=pad)
        inputs = {name: value.to(model.device) for name, value in inputs.items()}
        logits, _ = supervised_logits(model, inputs)
        with model.disable_adapter():
            base, _ = supervised_logits(model, inputs)
        away.append(divergence(logits, base))
    return float(torch.cat(away).mean())
