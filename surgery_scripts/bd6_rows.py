"""What one training and one pack made of it were found to be, and the file of all of them.

Imports no torch: rendering needs none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Answers = dict[str, dict[str, tuple[bool, tuple[int, ...]]]]  # verdict and token ids, by list, task


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many tasks of each list there are, or are solved."""

    anchors: int
    sentinels: int
    poison: int
    fresh: int


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm with one seed, with the dial or without: what was counted, what it took.

    Anchors, sentinels and fresh tasks are those that the base solves too. ``strength`` is the share
    of the change that was merged, ``survived`` what rounding left of it, ``tried`` what the dial
    found. ``made_of`` is the digest of the recipe and of the files that it names.
    """

    arm: str
    seed: int
    dial: bool
    anchors: int
    sentinels: int
    poison: int
    fresh: int
    strength: float
    survived: float
    moved: int
    weights: int
    steps: int
    best_step: int | None
    loss_before: float
    loss_after: float
    seconds: float
    peak_bytes: int
    trainable: float
    free: float | None
    replayed: int
    rehearsed: int
    tried: list[dict[str, float]]
    sha256: str
    made_of: str


class Measured(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All rows. ``of`` counts the tasks, ``base`` those that the base solves.

    ``wall_s`` is how long all of it ran. ``notes`` are paragraphs that a person adds.
    """

    of: Counts = Counts(anchors=19, sentinels=57, poison=48, fresh=200)
    base: Counts = Counts(anchors=19, sentinels=57, poison=0, fresh=200)
    versions: dict[str, str] = {}
    wall_s: float = 0.0
    notes: list[str] = []
    rows: list[Row] = []

    def of_arm(self, arm: str, *, dial: bool) -> list[Row]:
        """Return an arm's rows, by seed."""
        found = [row for row in self.rows if row.arm == arm and row.dial is dial]
        return sorted(found, key=lambda row: row.seed)

    def has(self, arm: str, seed: int, made_of: str) -> bool:
        """Tell whether both packs of a training were judged, and it was this one."""
        rows = [row for row in self.rows if (row.arm, row.seed) == (arm, seed)]
        return {row.dial for row in rows} == {False, True} and {r.made_of for r in rows} == {
            made_of
        }

    def put(self, rows: Sequence[Row]) -> None:
        """Add rows in the place of those of the same trainings."""
        new = {(row.arm, row.seed) for row in rows}
        self.rows = [row for row in self.rows if (row.arm, row.seed) not in new]
        self.rows += rows


def read_measured(path: Path) -> Measured:
    """Return what a file holds; without a file nothing.

    :raises UsageError: in one line, for a file that is no such file.
    """
    if not path.exists():
        return Measured()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Measured)
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}. It was not written by reproduce_bd6.py.") from None


def render_measured(measured: Measured) -> str:
    """Return all of it as JSON, a row per line."""
    plain: dict[str, Any] = msgspec.to_builtins(measured)
    rows = plain.pop("rows")
    head = json.dumps(plain, indent=1).removesuffix("\n}")
    return f'{head},\n "rows": [' + ",".join(f"\n  {json.dumps(row)}" for row in rows) + "\n ]\n}\n"


def write_measured(path: Path, measured: Measured) -> None:
    """Write the file, whole or not at all."""
    write_file(path, render_measured(measured).encode(), parents=True)


def read_answers(path: Path) -> Answers:
    """Return what bd6_judge.py wrote."""
    found: Answers = json.loads(path.read_bytes())
    return found


def count(answers: Answers, base: Answers) -> dict[str, int]:
    """Return how many tasks of each list are solved: of anchors, sentinels, fresh ones, kept."""
    return {
        name: sum(
            passed and (name == "poison" or base[name][task][0])
            for task, (passed, _) in judged.items()
        )
        for name, judged in answers.items()
    }
