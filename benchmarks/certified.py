"""An engine that answers from the demo pack's certificate: a gate's run without its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate.certificate import certificate_path, read_certificate
from pytest_anchorgate.engine.protocol import Completion, FinishReason, Request, ids_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.pack.format import Pack


class Certified:
    """Answers what the pack's certificate has; another prompt is a KeyError."""

    def __init__(self, pack: Pack) -> None:
        path = certificate_path(pack.path.parent, pack.path.name)
        self.answers = {task.prompt_ids: task for task in read_certificate(path).tasks}

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield the certified completions."""
        for request in requests:
            task = self.answers[ids_digest(request.prompt_ids)]
            yield Completion(
                key=request.key,
                text=task.completion,
                token_ids=tuple(task.token_ids),
                finish_reason=FinishReason.EOS,
                margin=task.margin,
                seconds=0.0,
            )
