"""What a task is. Knows nothing of files, models or sandboxes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One prompt with the tests its answer must pass.

    ``prompt`` is source code that a completion continues: HumanEval's own prompt, an own
    row's prompt, or for MBPP the description and its first assert in a docstring.
    ``tests`` are statements that run in order after ``setup`` in the program's namespace.
    """

    id: str
    suite: str
    prompt: str
    entry_point: str
    tests: tuple[str, ...]
    text: str = ""  # the description in words, where the suite gives one apart from the code
    setup: str = ""
    sentinel: bool = False
    timeout_s: float | None = None  # CPU seconds; None: the session's limit
    origin: str = ""  # file:line

    @property
    def prompt_sha256(self) -> str:
        """The digest that a reference row may pin: sha256 of the prompt in UTF-8."""
        return hashlib.sha256(self.prompt.encode()).hexdigest()

    @property
    def digest(self) -> str:
        """The sha256 of everything that decides the task's verdict, its id and limits aside."""
        parts = [self.prompt, self.text, self.entry_point, self.setup, *self.tests]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
