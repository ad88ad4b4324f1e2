"""How many threads a pass gets on a CPU: one where a second would wake up too late.

Two threads that sleep while they wait, against one, on two cores (2026-11-22): passes of 1 to 76
tokens took 0.8 to 0.5 as long on one with 1 and 3.4 million weights, and 1.1 to 1.5 times as long
with 12.6 and 37; 1,024 tokens took as long with 1 million weights, 1.6 times with 3.4.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

MANY_WEIGHTS = 8_000_000  # a pass reads all of them, however few its tokens
MUCH_WORK = 2_000_000_000  # weights times tokens


class Threads:
    """The threads of one model's passes, at most as many as torch has now."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._weights = model.num_parameters()
        self._most = torch.get_num_threads() if model.device.type == "cpu" else 1

    @contextmanager
    def for_pass(self, tokens: int) -> Iterator[None]:
        """Set torch's threads for a pass over so many tokens, and set them back."""
        if self._most == 1 or self.all_needed(tokens):
            yield
            return
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(self._most)

    def all_needed(self, tokens: int) -> bool:
        """Whether a pass over so many tokens is work for all threads."""
        return self._weights >= MANY_WEIGHTS or self._weights * tokens >= MUCH_WORK
