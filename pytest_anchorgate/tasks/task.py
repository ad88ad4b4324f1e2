"""What a task is. Knows nothing of files, models or sandboxes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

_SUITE_NAMES = {"mbpp": "MBPP", "humaneval": "HumanEval"}
_NUMBERED = re.compile(r"(?P<suite>.+)/(?P<number>\d+)")


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
    together: bool = False  # the tests run beside the program: they need its own objects
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

    @property
    def number(self) -> int | None:
        """The N of an id ``SUITE/N``: what the range of a `SuiteSpec` counts."""
        match = _NUMBERED.fullmatch(self.id)
        return int(match["number"]) if match else None


def canonical_id(task_id: str) -> str:
    """Return the one spelling of a suite task's id: ``Mbpp/17`` is ``MBPP/17``."""
    match = _NUMBERED.fullmatch(task_id)
    name = _SUITE_NAMES.get(match["suite"].lower()) if match else None
    return f"{name}/{int(match['number'])}" if match and name else task_id
