"""Asking a model's process for many answers, and asking anew in other batches.

Knows requests and stores, not tasks or verdicts; imports no torch.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_anchorgate.engine.process import ModelCommand, ModelProcess, wait_for_completion
from pytest_anchorgate.pack.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_anchorgate.engine.protocol import Completion, Request
    from pytest_anchorgate.store import Store

ROWS_AGAIN = (7, 1)  # of the batches of a second run, in turns; one row is the canonical shape


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAgain(ModelCommand):
    """A second run's command: its log outlives its store."""

    logs: Path

    @property
    def log(self) -> Path:
        """The file that receives the process's standard error."""
        return self.logs / f"{self.run}.log"


def ask(
    command: ModelCommand, store: Store, groups: Sequence[Sequence[Request]], *, label: str
) -> dict[str, Completion]:
    """Return the model's answers by key; a group is asked once the one before it is answered."""
    found: dict[str, Completion] = {}
    total = len({request.key for group in groups for request in group})
    with ProgressLine(label) as progress:
        model = ModelProcess(command, progress=lambda *_: progress(len(found), total))
        store.begin(command.run)
        try:
            model.start()
            for group in groups:
                store.request(command.run, group)
                # shortest first, as the engine answers, so that the count goes on steadily
                for request in sorted(group, key=lambda request: len(request.prompt_ids)):
                    found[request.key] = wait_for_completion(store, command.run, request.key)
        finally:
            model.stop()
            store.forget(command.run)
    return found


def second_batch_tokens(first: int, *, row_tokens: int) -> int:
    """Return the second run's ``--gate-batch-tokens``: seven of the longest rows, or fewer.

    Always less than the first run's, which may be all that the machine has room for.
    """
    return max(1, min(max(ROWS_AGAIN) * row_tokens, first - row_tokens))


def groups_again(requests: Iterable[Request], *, seed: int) -> Iterator[list[Request]]:
    """Yield what the second run asks at once: seven and one in turns, in an order by ``seed``.

    The queue has no order and the engine sorts what it finds there, so asking in groups is what
    makes other batches.
    """
    rest = list(dict.fromkeys(requests))
    random.Random(seed).shuffle(rest)
    for rows in itertools.cycle(ROWS_AGAIN):
        if not rest:
            return
        yield rest[:rows]
        del rest[:rows]
