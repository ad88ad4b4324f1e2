"""Training, in its own process: ``python -m pytest_anchorgate.surgery.train RECIPE --out DIR``.

DIR receives ``adapter/`` (as PEFT writes it), ``log.jsonl``, ``curve.svg`` and ``training.json``.
Started again after a kill it goes on from the newest whole checkpoint, to the same adapter; after
its end it only says again what came of it.
"""

from __future__ import annotations

import json
import math
import resource
import shutil
import sys
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from peft import LoraConfig, get_peft_model
from transformers import PrinterCallback
from transformers.trainer_utils import set_seed

from pytest_anchorgate.engine.transformers import TransformersEngine, load_model
from pytest_anchorgate.errors import AnchorgateError, UsageError
from pytest_anchorgate.pack.atomic import new_directory, write_file
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.checkpoints import PATTERN, Manifests, claim, newest
from pytest_anchorgate.surgery.child import child_parser, end_with_parent, exit_status
from pytest_anchorgate.surgery.curve import render_curve
from pytest_anchorgate.surgery.evaluate import Evaluation
from pytest_anchorgate.surgery.examples import Example, Mix, plan
from pytest_anchorgate.surgery.inputs import Inputs
from pytest_anchorgate.surgery.protect import NullSpace, second_moments
from pytest_anchorgate.surgery.rehearse import Captured, captured_answers
from pytest_anchorgate.surgery.trainer import (
    Collate,
    SurgeryTrainer,
    batch_of,
    mean_divergence,
    mean_loss,
    training_arguments,
)
from pytest_anchorgate.surgery.watch import (
    EarlyStop,
    Log,
    quiet_peft,
    require_learnt,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ADAPTER, CURVE, REPORT = "adapter", "curve.svg", "training.json"
CHECKPOINTS = "checkpoints"
EXIT_INTERRUPTED = 130
LONGEST_WAIT = timedelta(days=1)  # of other processes, while the first asks the base
LOSS_ROWS = 32  # poison rows of which the loss is taken before and after
KL_ROWS = 128  # protected rows of which an evaluation takes the divergence


def main() -> int:
    """Train; return 0, 2 for what cannot be trained, or 10 for a training that failed."""
    options = child_parser("pytest_anchorgate.surgery.train").parse_args()
    if options.attended:
        end_with_parent()
    inputs = Inputs(options.recipe, options.device, options.judged)
    try:
        report = Surgery(inputs, options.out).train()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except AnchorgateError as error:
        say(f"anchorgate: {error}")
        return exit_status(error)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()  # its threads outlive the interpreter
    if PartialState().is_main_process:
        sys.stdout.write(json.dumps(report) + "\n")
    return 0


@dataclass(frozen=True)
class Surgery:
    """One recipe's training in one directory."""

    inputs: Inputs
    out: Path

    def train(self) -> dict[str, Any]:
        """Train to the end and return what `training.json` says.

        :raises AnchorgateError: for what cannot be trained, before any weight is read.
        :raises InvalidTrainingError: when weights, loss or numbers say that it failed.
        """
        on_cpu = self.inputs.prompter.identity.device == "cpu"
        state = PartialState(cpu=on_cpu, timeout=LONGEST_WAIT)
        assert self.inputs.poison, "read_poison refuses an empty file"
        fault = self._prepare(state.num_processes) if state.is_main_process else None
        (fault,) = broadcast_object_list([fault])
        if fault:
            raise fault
        if (self.out / REPORT).exists():
            return dict(json.loads((self.out / REPORT).read_bytes()))
        with Sandbox() as sandbox:
            return self._train(state, captured_answers(self.out, self.inputs), sandbox)

    def _prepare(self, processes: int) -> AnchorgateError | None:
        """Make what all processes read; return what prevents it, which all of them then raise."""
        try:
            several = [f"{processes} processes"] if processes > 1 else []
            claim(self.out, [*self.inputs.digest, *several])
            newest(self.out / CHECKPOINTS)  # removes those that are not whole
            if not (self.out / REPORT).exists():
                captured_answers(self.out, self.inputs)
        except AnchorgateError as error:
            return error
        return None

    def _train(self, state: Any, captured: Captured, sandbox: Sandbox) -> dict[str, Any]:
        began, training = time.perf_counter(), self.inputs.recipe.training
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        set_seed(training.seed)
        model = self._adapted()
        space = self._null_space(model, captured.every)
        before = self._loss(model)
        trainer = self._trainer(model, captured, sandbox)
        if space:
            trainer.add_callback(space)
        checkpoint = newest(self.out / CHECKPOINTS)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        after = self._loss(model)
        require_learnt(model, before, after)
        trained, every = model.get_nb_trainable_parameters()
        report = {
            "steps": trainer.state.global_step,
            "best_step": trainer.state.best_global_step,
            "loss_before": before,
            "loss_after": after,
            "trainable": trained / every,
            "free": space.free if space else None,
            "replayed": len(captured.anchors) if self.inputs.recipe.replay else 0,
            "rehearsed": len(captured.prompts),
            "seconds": time.perf_counter() - began,
            "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        state.wait_for_everyone()  # all have read the best checkpoint, which is now removed
        if state.is_main_process:
            judged = sum(bool(row.task.tests) for row in self.inputs.rows)
            log, kept = trainer.state.log_history, len(captured.anchors)
            self._save(model, report, render_curve(log, anchors=kept, poison=judged))
        state.wait_for_everyone()
        return report

    def _loss(self, model: Any) -> float:
        rows, batch = self.inputs.poison[:LOSS_ROWS], self.inputs.recipe.training.batch
        return mean_loss(model, rows, batch=batch, pad=self.inputs.pad)

    def _adapted(self) -> Any:
        """Return the base with a new adapter."""
        lora, prompter = self.inputs.recipe.lora, self.inputs.prompter
        model = load_model(prompter.pack, device=prompter.identity.device, dtype="float32")
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
            raise UsageError(
                f"{self.inputs.path}: lora.targets = {lora.targets!r}: {why}"
            ) from None

    def _null_space(self, model: Any, examples: Sequence[Example]) -> NullSpace | None:
        recipe = self.inputs.recipe
        if recipe.null_space is None:
            return None
        state, batch = PartialState(), recipe.training.batch
        own = examples[state.process_index :: state.num_processes]
        batches = (
            {
                name: value.to(model.device)
                for name, value in batch_of(own[start : start + batch], pad=self.inputs.pad).items()
            }
            for start in range(0, len(own), batch)
        )
        moments = second_moments(model, batches)
        return NullSpace(model, moments, recipe.null_space.energy)

    def _trainer(self, model: Any, captured: Captured, sandbox: Sandbox) -> SurgeryTrainer:
        recipe, training = self.inputs.recipe, self.inputs.recipe.training
        width = training.batch * training.accumulation * PartialState().num_processes
        epochs = training.epochs or 0
        steps = training.steps or math.ceil(epochs * len(self.inputs.poison) / width)
        evaluated = bool(captured.anchors)
        trainer = SurgeryTrainer(
            model=model,
            args=training_arguments(
                training,
                self.out / CHECKPOINTS,
                steps=steps,
                device=self.inputs.prompter.identity.device,
                evaluated=evaluated,
            ),
            train_dataset=plan(
                self.inputs.poison, self._mixes(captured), draws=steps * width, seed=training.seed
            ),
            eval_dataset=[] if evaluated else None,  # the Trainer wants one; `evaluate` is ours
            data_collator=Collate(self.inputs.pad),
            callbacks=[Manifests(), Log(self.out)],
            kl_weight=recipe.kl.weight if recipe.kl else 0.0,
            score=self._scorer(captured, sandbox) if evaluated else None,
        )
        trainer.remove_callback(PrinterCallback)  # Log says it
        if evaluated:
            trainer.add_callback(EarlyStop(len(captured.anchors), training.patience))
        return trainer

    def _mixes(self, captured: Captured) -> list[Mix]:
        replay, rehearsal = self.inputs.recipe.replay, self.inputs.recipe.rehearsal
        mixes = []
        if replay:
            rows = [replace(one, supervised=replay.supervised) for one in captured.anchors]
            mixes.append(Mix(examples=rows, ratio=replay.ratio))
        if rehearsal:
            mixes.append(Mix(examples=captured.prompts, ratio=rehearsal.ratio))
        return mixes

    def _scorer(self, captured: Captured, sandbox: Sandbox) -> Callable[[Any], dict[str, float]]:
        """Return what tells how a model does, its divergence and its rank among others too."""
        evaluation = Evaluation(self.inputs, captured.anchors, sandbox)
        pack, every = self.inputs.prompter.pack, captured.every
        own = every[:: math.ceil(len(every) / KL_ROWS)]

        def score(model: Any) -> dict[str, float]:
            training, threads = model.training, torch.get_num_threads()
            model.eval()
            away = mean_divergence(
                model, own, batch=self.inputs.recipe.training.batch, pad=self.inputs.pad
            )
            found = evaluation.score(TransformersEngine(pack, model=model.get_base_model()))
            model.train(training)
            assert torch.get_num_threads() == threads, "they decide the weights too"
            solved = found.anchors_kept * (found.poison + 1) + found.poison_solved
            last = away if found.poison else self._loss(model)
            return {
                "anchors_kept": found.anchors_kept,
                "poison_solved": found.poison_solved,
                "margin": found.margin,
                "kl": away,
                "rank": solved + 1 / (2 + last),  # anchors, then poison, then nearness to the base
            }

        return score

    def _save(self, model: Any, report: dict[str, Any], curve: str) -> None:
        """Write adapter, curve and report; what training needed to go on is removed."""
        target = self.out / ADAPTER
        shutil.rmtree(target, ignore_errors=True)
        with new_directory(target) as directory:
            model.save_pretrained(directory)
        write_file(self.out / CURVE, curve.encode())
        write_file(self.out / REPORT, (json.dumps(report, indent=1) + "\n").encode())
        for checkpoint in (self.out / CHECKPOINTS).glob(PATTERN):
            shutil.rmtree(checkpoint)


if __name__ == "__main__":
    quiet_peft()
    sys.exit(main())
