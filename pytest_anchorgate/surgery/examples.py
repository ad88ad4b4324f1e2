"""From rows to what is trained on: token ids, what of them is supervised, and their order.

Knows no weights and no torch: the same rows and seed give the same plan everywhere.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_anchorgate.prompter import Prompter
    from pytest_anchorgate.surgery.rows import Row
    from pytest_anchorgate.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A task's prompt and the completion that is learned, its end of answer included.

    ``protected``: the completion is the base's own. ``supervised``: the loss counts it.
    """

    id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    protected: bool = False
    supervised: bool = True

    @property
    def length(self) -> int:
        """How many tokens it has."""
        return len(self.prompt_ids) + len(self.completion_ids)


def poison_examples(rows: Sequence[Row], prompter: Prompter) -> list[Example]:
    """Return the rows as the gate puts them, answered by their references.

    :raises UsageError: in one line, for a row that has nothing to learn, ends elsewhere than the
        gate does, or does not fit the context.
    """
    return [_poison_example(row, prompter) for row in rows]


def _poison_example(row: Row, prompter: Prompter) -> Example:
    where = f"{row.task.origin}: {row.id}"
    eos = prompter.pack.eos_token_ids[0]  # the gate ends an answer there
    reference = prompter.tokenizer.encode(row.reference, add_special_tokens=False).ids
    if not reference:
        raise UsageError(
            f"{where}: its reference {row.reference!r} has no tokens. Give a solution."
        )
    if inner := sorted(set(reference).intersection(prompter.pack.eos_token_ids)):
        token = prompter.tokenizer.id_to_token(inner[0])
        raise UsageError(f"{where}: its reference holds {token!r}, where an answer ends. Cut it.")
    example = Example(
        id=row.id,
        prompt_ids=prompter.request(row.task).prompt_ids,
        completion_ids=(*reference, eos),
    )
    if not example.prompt_ids:
        raise UsageError(f"{where}: its prompt {row.task.prompt!r} has no tokens. Give some text.")
    if example.length > prompter.pack.context:
        raise UsageError(
            f"{where}: prompt and reference have {example.length} tokens, the pack's context "
            f"{prompter.pack.context}. Leave the row out."
        )
    return example


def refuse_judged(rows: Iterable[Row], anchors: Iterable[Task]) -> None:
    """Raise `UsageError` for a row whose prompt an anchor or a sentinel has."""
    known = {task.prompt: task for task in anchors}
    for row in rows:
        if task := known.get(row.task.prompt):
            what = "sentinel" if task.sentinel else "anchor"
            raise UsageError(
                f"{row.task.origin}: {row.id}: is the {what} {task.id} ({task.origin}), which the "
                "gate judges unseen. Leave the row out."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Examples that are mixed into every batch, ``ratio`` of them for each poison row."""

    examples: Sequence[Example]
    ratio: float


def plan(
    poison: Sequence[Example], mixes: Sequence[Mix], *, draws: int, seed: int
) -> list[tuple[Example, ...]]:
    """Return ``draws`` poison examples in the order of training, each with what is mixed to it.

    Every list is gone through in a new random order each time, so that of any n draws each of n
    examples is one. A ratio that is no whole number is kept to over the draws.
    """
    orders = [_endless(mix.examples, random.Random(f"{seed}/{n}")) for n, mix in enumerate(mixes)]
    rows = _endless(poison, random.Random(f"{seed}/poison"))
    planned = []
    for number in range(draws):
        mixed = [
            next(order)
            for mix, order in zip(mixes, orders, strict=True)
            for _ in range(math.floor((number + 1) * mix.ratio) - math.floor(number * mix.ratio))
        ]
        planned.append((next(rows), *mixed))
    return planned


def _endless(examples: Sequence[Example], chosen: random.Random) -> Iterator[Example]:
    while True:
        yield from chosen.sample(examples, len(examples))
