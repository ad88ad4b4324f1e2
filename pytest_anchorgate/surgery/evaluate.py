"""What a changed model still solves of the anchors, and already of the poison rows.

The gate in the loop: recorded answers are drafts, so that an unchanged answer costs one pass. Sees
anchors and poison rows only, never a sentinel and never a fresh task. Knows no trainer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_anchorgate.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.engine.transformers import TransformersEngine
    from pytest_anchorgate.sandbox.run import Sandbox
    from pytest_anchorgate.surgery.examples import Example
    from pytest_anchorgate.surgery.inputs import Inputs
    from pytest_anchorgate.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a model solves. ``margin`` is the smallest of the kept anchors', in logits.

    ``poison`` counts the rows that can be judged, those with tests.
    """

    anchors_kept: int
    anchors: int
    poison_solved: int
    poison: int
    margin: float


class Evaluation:
    """The tasks that a model is asked in between, with the answers that it is expected to give."""

    def __init__(self, inputs: Inputs, anchors: Sequence[Example], sandbox: Sandbox) -> None:
        self._prompter, self._sandbox = inputs.prompter, sandbox
        solved = {example.id: example.completion_ids for example in anchors}
        self.anchors = [(task, solved[task.id]) for task in inputs.anchors if task.id in solved]
        learned = {example.id: example.completion_ids for example in inputs.poison}
        self._poison = [(r.task, learned[r.id]) for r in inputs.rows if r.task.tests]

    def score(self, engine: TransformersEngine) -> Score:
        """Return what the engine's model solves."""
        kept = list(self._solved(engine, self.anchors))
        return Score(
            anchors_kept=len(kept),
            anchors=len(self.anchors),
            poison_solved=len(list(self._solved(engine, self._poison))),
            poison=len(self._poison),
            margin=min(kept, default=0.0),
        )

    def _solved(
        self, engine: TransformersEngine, tasks: Sequence[tuple[Task, tuple[int, ...]]]
    ) -> Iterator[float]:
        """Yield the margin of each solved task."""
        asked = {}
        for task, expected in tasks:
            if not self._prompter.overflow(task):  # else the gate does not ask it either
                request = replace(self._prompter.request(task), draft=expected)
                asked[request.key] = task, request
        requests = [request for _, request in asked.values()]
        for completion in engine.generate(requests):
            task, _ = asked[completion.key]
            prompt = self._prompter.prompt(task)
            if verify(task, completion.text, sandbox=self._sandbox, prompt=prompt).passed:
                yield completion.margin or 0.0
