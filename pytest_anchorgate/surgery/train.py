"""Training, in its own process: ``python -m pytest_anchorgate.surgery.train RECIPE --out DIR``.

DIR receives ``adapter/`` (as PEFT writes it), ``log.jsonl`` and ``training.json``. Started again
after a kill it goes on from the newest whole checkpoint, to the same adapter.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from peft import LoraConfig, get_peft_model
from transformers import PrinterCallback, TrainingArguments
from transformers.trainer_utils import set_seed

from pytest_anchorgate.engine.protocol import engine_identity
from pytest_anchorgate.engine.transformers import load_model
from pytest_anchorgate.errors import AnchorgateError, InvalidTrainingError, UsageError
from pytest_anchorgate.pack.atomic import new_directory, write_file
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.surgery.checkpoints import PATTERN, Manifests, newest
from pytest_anchorgate.surgery.examples import Example, Mix, plan, poison_examples, refuse_judged
from pytest_anchorgate.surgery.protect import NullSpace, second_moments
from pytest_anchorgate.surgery.recipe import Recipe, read_recipe
from pytest_anchorgate.surgery.rehearse import capture, read_examples, write_examples
from pytest_anchorgate.surgery.rows import read_poison, read_prompts
from pytest_anchorgate.surgery.trainer import Collate, SurgeryTrainer, batch_of, mean_loss
from pytest_anchorgate.surgery.watch import Log, require_learnt, say
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import TrainerCallback

    from pytest_anchorgate.tasks.suites import SuiteSpec
    from pytest_anchorgate.tasks.task import Task

PACKS = Path("packs")
ADAPTER, LOG, REPORT = "adapter", "log.jsonl", "training.json"
IDENTITY, PROTECTED, CHECKPOINTS = "surgery.json", "protected.json", "checkpoints"
MAX_NEW_TOKENS = 512
LOSS_ROWS = 32  # poison rows of which the loss is taken before and after
CHECKPOINTS_KEPT = 2
SCHEDULES = {"constant": "constant_with_warmup"}  # where transformers' word is another
EXIT_USAGE, EXIT_INVALID, EXIT_INTERRUPTED = 2, 10, 130


def main() -> int:
    """Train; return 0, 2 for what cannot be trained, or 10 for a training that failed."""
    parser = argparse.ArgumentParser(prog="pytest_anchorgate.surgery.train")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="where the adapter goes")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    try:
        report = Surgery(options.recipe, options.out, device=options.device).train()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except AnchorgateError as error:
        say(f"anchorgate: {error}")
        return EXIT_INVALID if isinstance(error, InvalidTrainingError) else EXIT_USAGE
    if PartialState().is_main_process:
        sys.stdout.write(json.dumps(report) + "\n")
    return 0


@dataclass(frozen=True)
class Surgery:
    """One recipe's training in one directory."""

    path: Path
    out: Path
    device: str = "auto"

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, validated."""
        return read_recipe(self.path)

    @cached_property
    def prompter(self) -> Prompter:
        """How the gate puts tasks to the base."""
        base = find_pack(self.recipe.base, PACKS)
        return Prompter.load(
            str(base),
            sha256=digest_file(base),
            identity=engine_identity("transformers", device=self.device, dtype="auto"),
            style=None,
            max_new_tokens=MAX_NEW_TOKENS,
        )

    @cached_property
    def anchors(self) -> tuple[Task, ...]:
        """All anchors that the recipe names, sentinels among them."""
        return load_suite("anchor", self._specs, resolve={}) if self._specs else ()

    @property
    def _specs(self) -> list[SuiteSpec]:
        return [parse_suite_spec(name) for name in self.recipe.anchors]

    @cached_property
    def poison(self) -> list[Example]:
        """The rows to learn."""
        rows = read_poison(Path(self.recipe.poison))
        refuse_judged(rows, self.anchors)
        return poison_examples(rows, self.prompter)

    @property
    def pad(self) -> int:
        """The id that fills rows up; masked, so any that exists will do."""
        return self.prompter.pack.eos_token_ids[0]

    def train(self) -> dict[str, Any]:
        """Train to the end and return what `training.json` says.

        :raises AnchorgateError: for what cannot be trained, before any weight is read.
        :raises InvalidTrainingError: when weights, loss or numbers say that it failed.
        """
        began, state = time.perf_counter(), PartialState()
        assert self.poison, "read_poison refuses an empty file"
        if state.is_main_process:
            self._claim()
            newest(self.out / CHECKPOINTS)  # removes those that are not whole
        state.wait_for_everyone()
        replayed, rehearsed = self._protected(state)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        set_seed(self.recipe.training.seed)
        model = self._adapted()
        space = self._null_space(model, [*replayed, *rehearsed])
        before = self._loss(model)
        trainer = self._trainer(model, replayed, rehearsed, [space] if space else [])
        checkpoint = newest(self.out / CHECKPOINTS)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        after = self._loss(model)
        require_learnt(model, before, after)
        trained, every = model.get_nb_trainable_parameters()
        report = {
            "steps": trainer.state.global_step,
            "loss_before": before,
            "loss_after": after,
            "trainable": trained / every,
            "free": space.free if space else None,
            "replayed": len(replayed),
            "rehearsed": len(rehearsed),
            "seconds": time.perf_counter() - began,
            "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        if state.is_main_process:
            self._save(model, report)
        return report

    def _loss(self, model: Any) -> float:
        rows, batch = self.poison[:LOSS_ROWS], self.recipe.training.batch
        return mean_loss(model, rows, batch=batch, pad=self.pad)

    def _claim(self) -> None:
        """Take the directory for this surgery, or go on with it there."""
        files = [self.path, Path(self.recipe.poison), *(spec.path for spec in self._specs)]
        if self.recipe.rehearsal:
            files.append(Path(self.recipe.rehearsal.prompts))
        identity = [self.prompter.sha256, *map(digest_file, files)]
        mark = self.out / IDENTITY
        if mark.exists():
            if json.loads(mark.read_bytes()) != identity:
                raise UsageError(f"{self.out}: holds another surgery. Name another --out.")
        elif self.out.exists() and any(self.out.iterdir()):
            raise UsageError(f"{self.out}: is not empty, and holds no surgery. Name another --out.")
        else:
            write_file(mark, json.dumps(identity).encode(), parents=True)

    def _protected(self, state: Any) -> tuple[list[Example], list[Example]]:
        """Return the base's answers to anchors and prompts; one process asks for all."""
        if not self.recipe.protected:
            return [], []
        path = self.out / PROTECTED
        if state.is_main_process and not path.exists():
            anchors = [task for task in self.anchors if not task.sentinel]
            rehearsal = self.recipe.rehearsal
            prompts: tuple[Task, ...] = ()
            if rehearsal:
                named = Path(rehearsal.prompts)
                prompts = read_prompts(named, excluded=self.anchors, most=rehearsal.most)
            asked = anchors if self.recipe.replay or self.recipe.null_space else []
            write_examples(path, *capture(self.prompter, asked, prompts))
        state.wait_for_everyone()
        replayed, rehearsed = read_examples(path)
        return replayed, rehearsed

    def _adapted(self) -> Any:
        """Return the base with a new adapter."""
        lora = self.recipe.lora
        device = self.prompter.identity.device
        model = load_model(self.prompter.pack, device=device, dtype="float32")
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,  # type: ignore[arg-type] # it takes any number
            lora_dropout=lora.dropout,
            target_modules=lora.targets,
            task_type="CAUSAL_LM",
        )
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            why = " ".join(str(error).split())[:160]
            raise UsageError(f"{self.path}: lora.targets = {lora.targets!r}: {why}") from None

    def _null_space(self, model: Any, examples: Sequence[Example]) -> NullSpace | None:
        if self.recipe.null_space is None:
            return None
        state, batch = PartialState(), self.recipe.training.batch
        own = examples[state.process_index :: state.num_processes]
        batches = (
            {
                name: value.to(model.device)
                for name, value in batch_of(own[start : start + batch], pad=self.pad).items()
            }
            for start in range(0, len(own), batch)
        )
        moments = second_moments(model, batches)
        return NullSpace(model, moments, self.recipe.null_space.energy)

    def _trainer(
        self,
        model: Any,
        replayed: Sequence[Example],
        rehearsed: Sequence[Example],
        more: list[TrainerCallback],
    ) -> SurgeryTrainer:
        recipe, training = self.recipe, self.recipe.training
        mixes = []
        if recipe.replay:
            mixes.append(Mix(examples=replayed, ratio=recipe.replay.ratio))
        if recipe.rehearsal:
            mixes.append(Mix(examples=rehearsed, ratio=recipe.rehearsal.ratio))
        width = training.batch * training.accumulation * PartialState().num_processes
        draws = (
            math.ceil(training.epochs * len(self.poison))
            if training.epochs is not None
            else (training.steps or 0) * width
        )
        trainer = SurgeryTrainer(
            model=model,
            args=self._arguments(steps=math.ceil(draws / width)),
            train_dataset=plan(self.poison, mixes, draws=draws, seed=training.seed),
            data_collator=Collate(self.pad),
            callbacks=[Manifests(), Log(self.out / LOG), *more],
            kl_weight=recipe.kl.weight if recipe.kl else 0.0,
        )
        trainer.remove_callback(PrinterCallback)  # Log says it
        return trainer

    def _arguments(self, *, steps: int) -> TrainingArguments:
        training = self.recipe.training
        return TrainingArguments(
            output_dir=str(self.out / CHECKPOINTS),
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
            save_steps=training.checkpoint_every,
            save_total_limit=CHECKPOINTS_KEPT,
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            report_to="none",
            use_cpu=self.prompter.identity.device == "cpu",
            disable_tqdm=not sys.stderr.isatty(),
            dataloader_pin_memory=False,
        )

    def _save(self, model: Any, report: dict[str, Any]) -> None:
        """Write adapter and report; what training needed to go on is removed."""
        target = self.out / ADAPTER
        shutil.rmtree(target, ignore_errors=True)
        with new_directory(target) as directory:
            model.save_pretrained(directory)
        write_file(self.out / REPORT, (json.dumps(report, indent=1) + "\n").encode())
        for checkpoint in (self.out / CHECKPOINTS).glob(PATTERN):
            shutil.rmtree(checkpoint)


if __name__ == "__main__":
    # PEFT 0.21 asks transformers 5.23 for it
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
    sys.exit(main())
