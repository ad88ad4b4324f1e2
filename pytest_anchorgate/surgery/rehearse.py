"""The base's own answers, captured before training: what replay, KL and the null space protect.

Runs in the training process. Asks the engine that gates, so what is learned is what is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.engine.protocol import FinishReason
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.examples import Example
from pytest_anchorgate.surgery.sample import sample_prompts
from pytest_anchorgate.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_anchorgate.engine.protocol import Completion
    from pytest_anchorgate.prompter import Prompter
    from pytest_anchorgate.surgery.inputs import Inputs
    from pytest_anchorgate.tasks.task import Task


CAPTURED = "captured.json"


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """The base's own answers: to the anchors that it solves, and to prompts that come to an end."""

    anchors: list[Example] = []
    prompts: list[Example] = []

    @property
    def every(self) -> list[Example]:
        """All of them."""
        return [*self.anchors, *self.prompts]


def capture(inputs: Inputs) -> Captured:
    """Return the base's answers to the recipe's anchors and to its prompts.

    :raises UsageError: when none of the anchors, or none of the prompts, gives one.
    """
    prompter, rehearsal = inputs.prompter, inputs.recipe.rehearsal
    engine = TransformersEngine(
        prompter.pack, device=prompter.identity.device, dtype=prompter.identity.dtype
    )
    prompts = inputs.prompts
    if rehearsal and rehearsal.sampled:
        prompts += sample_prompts(
            engine,
            prompter,
            count=rehearsal.sampled,
            excluded=[*inputs.unseen, *prompts],
            seed=inputs.recipe.training.seed,
        )
    anchors = inputs.anchors
    found = dict(_answers(engine, prompter, [*anchors, *prompts]))
    with Sandbox() as sandbox:
        solved = [
            task
            for task in anchors
            if task in found
            and verify(task, found[task].text, sandbox=sandbox, prompt=prompter.prompt(task)).passed
        ]
    ended = [task for task in prompts if task in found]
    for asked, kept, what in ((anchors, solved, "anchor"), (prompts, ended, "rehearsal prompt")):
        if asked and not kept:
            raise UsageError(
                f"{prompter.pack.path}: solves no {what} of {len(asked)}, so there is nothing to "
                "protect. Give the pack that they belong to."
            )
    return Captured(
        anchors=[_example(prompter, task, found[task]) for task in solved],
        prompts=[_example(prompter, task, found[task]) for task in ended],
    )


def _answers(
    engine: TransformersEngine, prompter: Prompter, tasks: Iterable[Task]
) -> Iterator[tuple[Task, Completion]]:
    """Yield the answers that came to an end."""
    asked = {prompter.request(task).key: task for task in tasks if not prompter.overflow(task)}
    requests = [prompter.request(task) for task in asked.values()]
    for completion in engine.generate(requests):
        if completion.finish_reason is not FinishReason.LENGTH:
            yield asked[completion.key], completion


def _example(prompter: Prompter, task: Task, completion: Completion) -> Example:
    return Example(
        id=task.id,
        prompt_ids=prompter.request(task).prompt_ids,
        completion_ids=completion.token_ids,
        protected=True,
    )


def captured_answers(out: Path, inputs: Inputs) -> Captured:
    """Return the base's own answers, asked for once for each directory."""
    if not (inputs.recipe.anchors or inputs.recipe.rehearsal):
        return Captured()
    path = out / CAPTURED
    if not path.exists():
        write_file(path, msgspec.json.encode(capture(inputs)), parents=True)
    return msgspec.json.decode(path.read_bytes(), type=Captured)
