"""Which tasks of which file: the value behind ``PATH[:first-last]``. Opens no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pytest_anchorgate.errors import UsageError

_RANGE = re.compile(r"(\d+)-(\d+)")
_FILE_ENDINGS = (".jsonl", ".json", ".gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSpec:
    """A task file and the task numbers to take from it, both ends included."""

    path: Path
    first: int | None = None
    last: int | None = None

    def __str__(self) -> str:
        """Return the text that `parse_suite_spec` reads back."""
        return f"{self.path}{self.range_text}"

    @property
    def range_text(self) -> str:
        """The ``:first-last`` part, or nothing."""
        return "" if self.first is None else f":{self.first}-{self.last}"

    def takes(self, number: int) -> bool:
        """Say whether the task of this number is asked for."""
        if self.first is None or self.last is None:
            return True
        return self.first <= number <= self.last


def parse_suite_spec(text: str) -> SuiteSpec:
    """Read ``PATH[:first-last]``; a path may hold colons if it goes on after them.

    Raises `UsageError` for a blank path and for anything but two ascending numbers as range.
    """
    path, colon, tail = text.rpartition(":")
    if not colon or "/" in tail or tail.endswith(_FILE_ENDINGS):
        path, colon, tail = text, "", ""
    if not path.strip():
        raise UsageError(f"{text!r} names no file. Give PATH or PATH:first-last.")
    if not colon:
        return SuiteSpec(path=Path(path))
    match = _RANGE.fullmatch(tail)
    if match is None or int(match[1]) > int(match[2]):
        raise UsageError(
            f"{text!r}: {tail!r} is not a range of task numbers. "
            "Give first-last, both included, as in mbpp.jsonl:11-110."
        )
    return SuiteSpec(path=Path(path), first=int(match[1]), last=int(match[2]))
