"""What changed between two programs, as text. Knows nothing of HTML, tasks and verdicts.

Programs are whatever a model wrote: what is compared and shown is bounded, and says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_anchorgate.report.subsequence import common
from pytest_anchorgate.sandbox.values import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Match = tuple[int, int]  # an item's index on the left and on the right
    Opcode = tuple[str, int, int, int, int]  # difflib's: tag, left from and to, right from and to

COMPARED_LINES = 1000  # of each program; what follows is counted
SHOWN_LINES = 400  # of a diff
LINE_CHARACTERS = 1000
CONTEXT = 3
FOLD_OVER = 6  # unchanged lines in a row
KEPT_BESIDE_FOLD = 2
HIGHLIGHTED_CHARACTERS = 200  # of a line; longer ones are shown without
HIGHLIGHTED_PAIRS = 100
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
ALIKE = 0.3  # share of the words of two lines that makes one a change of the other
PAIRED_LINES = 36  # removed times added lines of a change that are compared word by word


class Kind(StrEnum):
    """What a pair of lines is."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    FOLDED = "folded"  # unchanged lines
    LEFT_OUT = "left out"  # the diff is too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One line of one program: its number, and its text in pieces that changed or did not."""

    number: int
    pieces: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        """The line, without its newline."""
        return "".join(text for text, _ in self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two lines that stand beside each other; ``count`` lines when folded or left out."""

    kind: Kind
    left: Side | None = None
    right: Side | None = None
    count: int = 0


def unified(before: str, now: str) -> list[str]:
    """Return the lines of a unified diff, printable and without newlines; none of equal texts.

    A diff of too many lines ends with one that says how many were left out.
    """
    if before == now:
        return []
    left, left_beyond = _lines(before)
    right, right_beyond = _lines(now)
    lines = [
        "--- baseline",
        "+++ candidate",
        *_hunks(_ended(left, left_beyond), _ended(right, right_beyond)),
    ]
    if len(lines) > SHOWN_LINES:
        lines[SHOWN_LINES:] = [f"... {len(lines) - SHOWN_LINES:,} lines of the diff left out"]
    if left_beyond or right_beyond:
        beyond = f"{left_beyond:,} lines of the baseline and {right_beyond:,} of the candidate"
        lines.append(f"... {beyond} not compared")
    return [escape(_cut(line)) for line in lines]


def _lines(text: str) -> tuple[list[str], int]:
    """Return the first lines, what stands between newlines, and how many more there are."""
    lines = text.split("\n", COMPARED_LINES)
    if len(lines) <= COMPARED_LINES:
        return lines, 0
    rest = lines.pop()
    return lines, rest.count("\n") + (not rest.endswith("\n"))


def _ended(lines: list[str], beyond: int) -> list[str]:
    """Return the lines with the newlines that end them; a text's last may have none."""
    *ended, last = [f"{line}\n" for line in lines]
    return [*ended, last] if beyond else [*ended, *([last[:-1]] if len(last) > 1 else [])]


def _cut(line: str) -> str:
    beyond = len(line) - LINE_CHARACTERS
    return f"{line[:LINE_CHARACTERS]} ... {beyond:,} characters more" if beyond > 0 else line


class _Matched(SequenceMatcher[str]):
    """Groups the opcodes that it is given into hunks as difflib does."""

    def __init__(self, opcodes: list[Opcode]) -> None:
        super().__init__()
        self._given = opcodes

    def get_opcodes(self) -> list[Opcode]:  # type: ignore[override]
        return self._given


def _hunks(left: list[str], right: list[str]) -> Iterator[str]:
    for group in _Matched(list(_opcodes(left, right))).get_grouped_opcodes(CONTEXT):
        (_, i, _, j, _), (_, _, i_end, _, j_end) = group[0], group[-1]
        yield f"@@ -{_range(i, i_end)} +{_range(j, j_end)} @@"
        for tag, *(i, i_end, j, j_end) in group:
            if tag == "equal":
                yield from _marked(" ", left[i:i_end])
            else:
                yield from _marked("-", left[i:i_end])
                yield from _marked("+", right[j:j_end])


def _opcodes(left: Sequence[str], right: Sequence[str]) -> Iterator[Opcode]:
    at = (0, 0)
    for i, i_end, j, j_end in [*_runs(left, right), (len(left),) * 2 + (len(right),) * 2]:
        if at != (i, j):
            yield "replace", at[0], i, at[1], j
        if i < i_end:
            yield "equal", i, i_end, j, j_end
        at = (i_end, j_end)


def _runs(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Return begin and end, on the left and on the right, of each run of matched lines."""
    runs: list[tuple[int, int, int, int]] = []
    for i, j in common(left, right):
        if runs and runs[-1][1::2] == (i, j):
            runs[-1] = (runs[-1][0], i + 1, runs[-1][2], j + 1)
        else:
            runs.append((i, i + 1, j, j + 1))
    return runs


def _range(start: int, stop: int) -> str:
    """Return a hunk's range as diff -u writes it: a single line without its count."""
    if stop - start == 1:
        return f"{start + 1}"
    return f"{start + (start < stop)},{stop - start}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def side_by_side(
    before: str, now: str, *, fold: bool = True, keep: int | None = None
) -> list[Pair]:
    """Return the lines of both programs beside each other, with what changed within them.

    Long unchanged stretches are folded into one pair, except around line ``keep`` of ``now``.
    Lines stand between newlines: joining the texts of all left sides with newlines gives
    ``before`` again, unless it was folded or cut.
    """
    (left, left_beyond), (right, right_beyond) = _lines(before), _lines(now)
    pairs = list(_pairs(left, right))
    shown = list(_folded(pairs, keep)) if fold else pairs
    left_out = max(0, len(shown) - SHOWN_LINES) + max(left_beyond, right_beyond)
    if left_out:
        shown[SHOWN_LINES:] = [Pair(kind=Kind.LEFT_OUT, count=left_out)]
    changed = [k for k, pair in enumerate(shown) if pair.kind is Kind.CHANGED]
    for k in changed[:HIGHLIGHTED_PAIRS]:
        shown[k] = _highlighted(shown[k])
    return shown


def _pairs(left: Sequence[str], right: Sequence[str]) -> Iterator[Pair]:
    for tag, i, i_end, j, j_end in _opcodes(left, right):
        if tag == "equal":
            for k in range(i_end - i):
                yield _pair(_side(left, i + k), _side(right, j + k))
        else:
            yield from _changes(
                [_side(left, k) for k in range(i, i_end)],
                [_side(right, k) for k in range(j, j_end)],
            )


def _side(lines: Sequence[str], index: int) -> Side:
    return Side(number=index + 1, pieces=((_cut(lines[index]), False),))


def _pair(left: Side | None, right: Side | None) -> Pair:
    if left and right:
        same = left.text == right.text
        return Pair(kind=Kind.SAME if same else Kind.CHANGED, left=left, right=right)
    return Pair(kind=Kind.REMOVED if left else Kind.ADDED, left=left, right=right)


def _changes(removed: Sequence[Side], added: Sequence[Side]) -> Iterator[Pair]:
    """Pair each removed line with the added line that it most likely became."""
    i = j = 0
    for a, b in [*_became(removed, added), (len(removed), len(added))]:
        yield from (_pair(side, None) for side in removed[i:a])
        yield from (_pair(None, side) for side in added[j:b])
        if a < len(removed):
            yield _pair(removed[a], added[b])
        i, j = a + 1, b + 1


def _became(removed: Sequence[Side], added: Sequence[Side]) -> list[Match]:
    """Return which lines to pair: in order, and together as alike as can be."""
    if not 1 < len(removed) * len(added) <= PAIRED_LINES:
        return [(k, k) for k in range(min(len(removed), len(added)))]
    words = [[_signs(side.text) for side in sides] for sides in (removed, added)]
    # best[i][j]: how alike the first i removed and the first j added lines can be, and by which
    best: list[list[tuple[float, list[Match]]]] = [[(0.0, [])] * (len(added) + 1)]
    for i, old in enumerate(words[0]):
        row = [best[i][0]]
        for j, new in enumerate(words[1]):
            alike = _alike(old, new)
            paired = (best[i][j][0] + alike, [*best[i][j][1], (i, j)])
            options = [row[j], best[i][j + 1], *([paired] if alike >= ALIKE else [])]
            row.append(max(options, key=lambda option: option[0]))
        best.append(row)
    return best[-1][-1][1]


def _alike(old: set[str], new: set[str]) -> float:
    return 2 * len(old & new) / (len(old) + len(new)) if old and new else 0.0


def _signs(line: str) -> set[str]:
    return {word for word in _words(line) if not word.isspace()}


def _words(line: str) -> list[str]:
    """Return the words, signs and spaces of a line; a long line is one word."""
    return _WORD.findall(line) if len(line) <= HIGHLIGHTED_CHARACTERS else [line]


def _highlighted(pair: Pair) -> Pair:
    """Mark the words in which two lines differ, unless they have too few in common."""
    assert pair.left is not None, "both sides changed"
    assert pair.right is not None, "both sides changed"
    left, right = _words(pair.left.text), _words(pair.right.text)
    matches = common(left, right)
    if len(matches) < ALIKE * max(len(left), len(right)):
        return pair
    return replace(
        pair,
        left=replace(pair.left, pieces=_pieces(left, {i for i, _ in matches})),
        right=replace(pair.right, pieces=_pieces(right, {j for _, j in matches})),
    )


def _pieces(words: Sequence[str], same: set[int]) -> tuple[tuple[str, bool], ...]:
    runs = groupby(enumerate(words), key=lambda item: item[0] not in same)
    return tuple(("".join(word for _, word in run), changed) for changed, run in runs)


def _folded(pairs: Sequence[Pair], keep: int | None) -> Iterator[Pair]:
    """Replace the middle of long unchanged stretches; at both ends of the text, all of it."""

    def unchanged(pair: Pair) -> bool:
        return pair.kind is Kind.SAME and not (pair.right and pair.right.number == keep)

    place = 0
    for same, run in groupby(pairs, key=unchanged):
        stretch = list(run)
        before = KEPT_BESIDE_FOLD if place else 0
        place += len(stretch)
        after = KEPT_BESIDE_FOLD if place < len(pairs) else 0
        if not same or len(stretch) <= FOLD_OVER:
            yield from stretch
            continue
        middle = len(stretch) - before - after
        yield from stretch[:before]
        yield Pair(kind=Kind.FOLDED, count=middle)
        yield from stretch[before + middle :]
