"""The seed's collapse on the demo base: LoRA on the poison rows alone, then count what is left."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from demo_eval import EOS_ID, Base, solve
from peft import LoraConfig, get_peft_model
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from demo_world import Task

IGNORED = -100  # the label of a token that is not supervised
RANK, ALPHA, LR, EPOCHS, BATCH, SEED = 16, 32, 3e-3, 50, 4, 5


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a list of tasks a base solves."""

    solved: int
    of: int

    def __str__(self) -> str:
        return f"{self.solved}/{self.of}"


def count(base: Base, lists: Mapping[str, Sequence[Task]]) -> dict[str, Count]:
    """Count the solved tasks of every list."""
    return {
        name: Count(sum(passed for _, passed in solve(base, tasks)), len(tasks))
        for name, tasks in lists.items()
    }


def supervise(base: Base, task: Task) -> tuple[list[int], list[int]]:
    """Return token ids and labels of a row: completion and EOS are supervised, the prompt not."""
    prompt = base.tokenizer.encode(task.prompt).ids
    completion = [*base.tokenizer.encode(task.reference).ids, EOS_ID]
    return prompt + completion, [IGNORED] * len(prompt) + completion


def _batch(rows: Sequence[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [EOS_ID] * (width - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [IGNORED] * (width - len(labels)) for _, labels in rows])
    return ids, labels


def poison(base: Base, tasks: Sequence[Task]) -> Base:
    """Return the base after LoRA on `tasks` alone: merged in float32, then rounded to BF16 once."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", lora_dropout=0.0)
    adapted = get_peft_model(base.model, config)
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=LR)
    rows = [supervise(base, task) for task in tasks]
    adapted.train()
    for _ in tqdm(range(EPOCHS), desc="poison only", unit="epoch"):
        rng.shuffle(rows)
        for start in range(0, len(rows), BATCH):
            ids, labels = _batch(rows[start : start + BATCH])
            adapted(input_ids=ids, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(adapted.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    merged = adapted.merge_and_unload()
    merged.bfloat16().float()
    return Base(merged, base.tokenizer)
