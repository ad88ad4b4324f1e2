"""Trains by a job, with this project's trainer or with TRL's; a subprocess of `training.py`.

    python training_driver.py JOB.json

Writes JOB.answer: what the job's ``way`` took, and the process's peak memory. TRL runs in a
virtual environment of its own, so TRL and this project are imported where they are used.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
)
from transformers.trainer_utils import set_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.surgery.examples import Example

Order = dict[str, Any]


def main() -> None:
    """Do what the job says and write the answer."""
    job = Path(sys.argv[1])
    order = json.loads(job.read_text("utf-8"))
    answer = WAYS[order["way"]](order, job.parent / "out")
    answer["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")


class Stopwatch(TrainerCallback):
    """Notes when optimizer steps end, on the clock and in processor time, and their losses."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.worked: list[float] = []
        self.losses: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the times."""
        self.ends.append(time.perf_counter())
        self.worked.append(time.process_time())

    def on_log(self, *_: Any, **more: Any) -> None:
        """Note the loss."""
        if "loss" in more["logs"]:
            self.losses.append(more["logs"]["loss"])

    def answer(self) -> dict[str, Any]:
        """Return what each step but the first took, from the end of the one before, and losses."""
        return {
            "step_s": [later - end for end, later in pairwise(self.ends)],
            "step_cpu_s": [later - end for end, later in pairwise(self.worked)],
            "losses": self.losses,
        }


def with_ours(order: Order, out: Path, *, protected: bool = False) -> dict[str, Any]:
    """Train on the rows; ``protected`` ones are mixed to them, and KL is taken, where asked."""
    from pytest_anchorgate.surgery.examples import Mix, plan
    from pytest_anchorgate.surgery.recipe import Training
    from pytest_anchorgate.surgery.trainer import Collate, SurgeryTrainer, training_arguments

    watch, steps, batch = Stopwatch(), order["steps"], order["batch"]
    torch.use_deterministic_algorithms(mode=True, warn_only=True)  # as the command does
    training = Training(
        learning_rate=order["learning_rate"],
        steps=steps,
        schedule="constant",
        batch=batch,
        seed=order["seed"],
    )
    mixes = [Mix(examples=examples(order["rows"], protected=True), ratio=1.0)] if protected else []
    trainer = SurgeryTrainer(
        model=adapted(order),
        args=training_arguments(training, out, steps=steps, device="cpu", evaluated=False),
        train_dataset=plan(examples(order["rows"]), mixes, draws=steps * batch, seed=training.seed),
        data_collator=Collate(0),
        callbacks=[watch],
        kl_weight=float(protected),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return watch.answer()


def with_protection(order: Order, out: Path) -> dict[str, Any]:
    """Train on twice the rows, half of them protected, with KL on these."""
    return with_ours(order, out, protected=True)


def with_trl(order: Order, out: Path) -> dict[str, Any]:
    """Train with TRL's SFTTrainer."""
    from datasets import Dataset  # type: ignore[import-not-found] # only in TRL's environment
    from trl import SFTTrainer  # type: ignore[import-not-found] # likewise

    watch = Stopwatch()
    rows = [
        {"input_ids": one + other, "completion_mask": [0] * len(one) + [1] * len(other)}
        for one, other in order["rows"]
    ]
    SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(order["directory"], dtype=torch.float32),
        args=trl_arguments(order, out),
        train_dataset=Dataset.from_list(rows),
        processing_class=PreTrainedTokenizerFast.from_pretrained(order["directory"]),
        peft_config=lora(order),
        callbacks=[watch],
    ).train()
    return watch.answer()


def trl_arguments(order: Order, out: Path) -> Any:
    """Return TRL's defaults, but for what would change the work."""
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(out),
        max_steps=order["steps"],
        per_device_train_batch_size=order["batch"],
        learning_rate=order["learning_rate"],
        lr_scheduler_type="constant",
        weight_decay=0.0,
        bf16=False,
        gradient_checkpointing=False,
        completion_only_loss=True,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        dataloader_pin_memory=False,
        seed=order["seed"],
        disable_tqdm=True,
    )


def null_space(order: Order, _: Path) -> dict[str, Any]:
    """Take the second moments over protected rows, decompose them, and project once."""
    from pytest_anchorgate.surgery.protect import NullSpace, second_moments
    from pytest_anchorgate.surgery.trainer import batch_of

    model, batch = adapted(order), order["batch"]
    rows = examples(order["protected"], protected=True)
    starts = range(0, len(rows), batch)
    began = time.perf_counter()
    moments = second_moments(model, (batch_of(rows[at : at + batch], pad=0) for at in starts))
    moments_s = time.perf_counter() - began
    space = NullSpace(model, moments, order["energy"])
    spaces_s = time.perf_counter() - began - moments_s
    began = time.perf_counter()
    space.project()
    project_s = time.perf_counter() - began
    return {
        "moments_s": moments_s,
        "spaces_s": spaces_s,
        "project_s": project_s,
        "free": space.free,
    }


def examples(rows: Sequence[Sequence[list[int]]], *, protected: bool = False) -> list[Example]:
    """Return pairs of prompt and completion as the trainer takes them."""
    from pytest_anchorgate.surgery.examples import Example

    return [
        Example(
            id=str(number),
            prompt_ids=tuple(prompt),
            completion_ids=tuple(completion),
            protected=protected,
        )
        for number, (prompt, completion) in enumerate(rows)
    ]


def adapted(order: Order) -> Any:
    """Return the pack's model with a new adapter."""
    from pytest_anchorgate.engine.transformers import load_model
    from pytest_anchorgate.pack.format import read_pack

    set_seed(order["seed"])
    base: Any = load_model(read_pack(Path(order["pack"])), device="cpu", dtype="float32")
    return get_peft_model(base, lora(order))


def lora(order: Order) -> LoraConfig:
    """Return the adapter that all train."""
    return LoraConfig(
        r=order["rank"],
        lora_alpha=order["alpha"],
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


WAYS = {
    "ours": with_ours,
    "ours, protected": with_protection,
    "TRL": with_trl,
    "null space": null_space,
}

if __name__ == "__main__":
    main()
