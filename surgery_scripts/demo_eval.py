"""Asks the demo base and runs its answers: batched greedy decoding, and a child process.

Small on purpose: it is what `make_demo_pack.py` needs before a pack exists. The package's engine
and sandbox judge everything after that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from demo_world import Task

EOS_ID = 0
MAX_NEW_TOKENS = 224
BATCH = 64
PROGRAM_TIMEOUT_S = 2

RUNNER = """
import io, json, signal, sys
def late(*_): raise TimeoutError
signal.signal(signal.SIGALRM, late)
report, sys.stdout, passed = sys.stdout, io.StringIO(), []
for program in json.load(sys.stdin):
    signal.alarm(%d)
    try:
        exec(compile(program, "answer", "exec"), {})
        passed.append(True)
    except BaseException:
        passed.append(False)
    signal.alarm(0)
json.dump(passed, report)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A greedy completion, its tokens with EOS, and its smallest top-1/top-2 distance in logits."""

    text: str
    tokens: tuple[int, ...]
    margin: float


class Base:
    """A model with its tokenizer, ready to answer."""

    def __init__(self, model: torch.nn.Module, tokenizer: Tokenizer) -> None:
        self.model = model
        model.train(False)
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, directory: Path) -> Base:
        """Load the directory's BF16 weights, upcast exactly to float32."""
        model = Qwen2ForCausalLM.from_pretrained(directory, dtype=torch.bfloat16)
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        model.float()  # type: ignore[no-untyped-call]
        return cls(model, tokenizer)

    def answer(self, prompts: Sequence[str]) -> list[Answer]:
        """Return one greedy answer per prompt, in the same order."""
        rows = [self.tokenizer.encode(prompt).ids for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        answers: dict[int, Answer] = {}
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found = self._decode([rows[place] for place in places])
            answers.update(zip(places, found, strict=True))
        return [answers[place] for place in range(len(rows))]

    @torch.inference_mode()
    def _decode(self, rows: list[list[int]]) -> list[Answer]:
        width = max(map(len, rows))
        ids = torch.tensor([[EOS_ID] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        tokens: list[list[int]] = [[] for _ in rows]
        margins = [float("inf")] * len(rows)
        cache = None
        for _ in range(MAX_NEW_TOKENS):
            out = self.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache,
                use_cache=True, logits_to_keep=1,
            )  # fmt: skip
            cache = out.past_key_values
            values, choices = out.logits[:, -1].topk(2)  # (B, 2)
            chosen, gaps = choices[:, 0], (values[:, 0] - values[:, 1]).tolist()
            for row, (token, gap) in enumerate(zip(chosen.tolist(), gaps, strict=True)):
                if tokens[row][-1:] != [EOS_ID]:
                    tokens[row].append(token)
                    margins[row] = min(margins[row], gap)
            if all(row[-1] == EOS_ID for row in tokens):
                break
            ids, positions = chosen[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=-1)
        return [
            Answer(self.tokenizer.decode(row), tuple(row), margin)
            for row, margin in zip(tokens, margins, strict=True)
        ]


def run_programs(programs: Iterable[str]) -> list[bool]:
    """Tell which programs run to their end, in one child process (no sandbox: our own model)."""
    child = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER % PROGRAM_TIMEOUT_S],
        input=json.dumps(list(programs)), capture_output=True, text=True, check=True,
    )  # fmt: skip
    passed: list[bool] = json.loads(child.stdout)
    return passed


def solve(base: Base, tasks: Sequence[Task]) -> list[tuple[Answer, bool]]:
    """Return each task's answer and whether its program passes every test."""
    answers = base.answer([task.prompt for task in tasks])
    programs = [
        "\n".join((task.prompt + answer.text, *task.tests))
        for task, answer in zip(tasks, answers, strict=True)
    ]
    return list(zip(answers, run_programs(programs), strict=True))
