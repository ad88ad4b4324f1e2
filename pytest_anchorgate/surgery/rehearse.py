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
from pytest_anchorgate.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_anchorgate.engine.protocol import Completion
    from pytest_anchorgate.prompter import Prompter
    from pytest_anchorgate.tasks.task import Task


def capture(
    prompter: Prompter, anchors: Sequence[Task], prompts: Sequence[Task]
) -> tuple[list[Example], list[Example]]:
    """Return the base's answers to the anchors, those that pass, and to prompts, those that end.

    :raises UsageError: when none of the anchors, or none of the prompts, gives one.
    """
    engine = TransformersEngine(
        prompter.pack, device=prompter.identity.device, dtype=prompter.identity.dtype
    )
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
    return (
        [_example(prompter, task, found[task]) for task in solved],
        [_example(prompter, task, found[task]) for task in ended],
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
        prompt_ids=prompter.request(task).prompt_ids,
        completion_ids=completion.token_ids,
        protected=True,
    )


def write_examples(path: Path, *lists: Sequence[Example]) -> None:
    """Write lists of examples, whole or not at all, so that a resumed training finds them."""
    write_file(path, msgspec.json.encode(lists))


def read_examples(path: Path) -> list[list[Example]]:
    """Return the lists that `write_examples` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=list[list[Example]])
