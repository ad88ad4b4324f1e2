"""What a baseline tells of a run before it begins: likely answers, and who is likely lost first.

Hints save time and decide nothing: without them the same verdicts come later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from pytest_anchorgate.baseline import find_baseline
from pytest_anchorgate.engine.protocol import ids_digest
from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.gate import ANCHOR
from pytest_anchorgate.ledger import FILE, read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_anchorgate.certificate import Certificate
    from pytest_anchorgate.engine.protocol import Request
    from pytest_anchorgate.ledger import Attempt
    from pytest_anchorgate.run import Options, Run

FIRST_BATCH = 8  # anchors that a run which may stop early asks for before all others


class Hints:
    """One run's hints; whatever cannot be read, the controller will say."""

    def __init__(self, options: Options, run: Run) -> None:
        self.options = options
        self.run = run

    def of(self, key: str, request: Request) -> Request:
        """Return a case's request with its draft and its rank."""
        urgent = self.fragile[:FIRST_BATCH]
        return replace(self.drafted(request), rank=int(bool(urgent) and key not in urgent))

    def drafted(self, request: Request) -> Request:
        """Return a request with what the baseline answered to the same prompt as its draft."""
        return replace(request, draft=self._answers.get(ids_digest(request.prompt_ids), ()))

    @cached_property
    def fragile(self) -> tuple[str, ...]:
        """The keys of the anchors to judge first in a run that may stop early; none in others."""
        if not self.options.stops_early or self._certificate is None:
            return ()
        try:
            attempts = read_ledger(self.options.packs / FILE)
        except AnchorgateError:
            attempts = ()
        return most_fragile_first(self._certificate, attempts)

    @cached_property
    def _answers(self) -> dict[str, tuple[int, ...]]:
        """The baseline's answers by the digests of their prompts."""
        tasks = self._certificate.tasks if self._certificate else ()
        return {task.prompt_ids: task.token_ids for task in tasks if task.prompt_ids}

    @cached_property
    def _certificate(self) -> Certificate | None:
        if self.run.baseline is None:
            return None
        try:
            return find_baseline(self.options).certificate
        except AnchorgateError:
            return None


def most_fragile_first(certificate: Certificate, attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return the keys of the certified anchors in the order in which to judge a candidate.

    Those that most attempts of the ledger lost come first, then those with the smallest margin;
    an anchor whose margin nobody knows comes last.
    """
    lost = Counter(task_id for attempt in attempts for task_id in attempt.lost_anchors)
    anchors = [task for task in certificate.tasks if task.suite == ANCHOR]
    anchors.sort(key=lambda task: (-lost[task.id], inf if task.margin is None else task.margin))
    return tuple(task.key for task in anchors)
