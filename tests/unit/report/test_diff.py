from __future__ import annotations

import random
import re
import time
from difflib import SequenceMatcher
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_anchorgate.report import diff
from pytest_anchorgate.report.diff import Kind, side_by_side, unified
from pytest_anchorgate.report.subsequence import common

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = st.lists(st.sampled_from(["", "a", "b", "return a", "return a + b"]), max_size=25)
TEXTS = st.one_of(st.text(max_size=200), LINES.map("\n".join))
HOSTILE = "\x1b[31m\x00\r\u202e\u2028\x85\ud800"


def numbered(count: int, **changed: str) -> str:
    """Lines of a program, some of them replaced by number."""
    return "".join(f"{changed.get(f'l{k}', f'line {k}')}\n" for k in range(1, count + 1))


def texts(pairs: Sequence[diff.Pair], side: str) -> str:
    found = (getattr(pair, side) for pair in pairs)
    return "\n".join(line.text for line in found if line is not None)


def applied(before: str, patch: Sequence[str]) -> str:
    """The text that a unified diff makes of ``before``, as patch(1) would."""
    old, new, at = before.splitlines(keepends=True), "", 0
    for line, following in zip(patch[2:], [*patch[3:], ""], strict=True):
        end = "" if following.startswith("\\") else "\n"
        if header := re.fullmatch(r"@@ -(\d+)(,0)?(?:,\d+)? \+\S+ @@", line):
            start = int(header[1]) - (not header[2])
            new += "".join(old[at:start])
            at = start
        elif line[0] in " -":
            assert old[at] == line[1:] + end
            at += 1
        if line[0] in " +":
            new += line[1:] + end
    return new + "".join(old[at:])


@given(TEXTS, TEXTS)
@example("a\n", "a")
@example("", "\n")
def test_both_programs_can_be_rebuilt_from_the_pairs(before: str, now: str) -> None:
    pairs = side_by_side(before, now, fold=False)
    assert texts(pairs, "left") == before
    assert texts(pairs, "right") == now


@given(TEXTS, TEXTS)
def test_lines_are_numbered_and_pairs_say_what_they_are(before: str, now: str) -> None:
    pairs = side_by_side(before, now, fold=False)
    for side in ("left", "right"):
        numbers = [line.number for pair in pairs if (line := getattr(pair, side)) is not None]
        assert numbers == list(range(1, len(numbers) + 1))
    for pair in pairs:
        expected = {
            (True, True): {Kind.SAME, Kind.CHANGED},
            (True, False): {Kind.REMOVED},
            (False, True): {Kind.ADDED},
        }[pair.left is not None, pair.right is not None]
        assert pair.kind in expected
        if pair.left and pair.right:
            assert (pair.kind is Kind.SAME) == (pair.left.text == pair.right.text)


@given(TEXTS, TEXTS, st.integers(1, 30))
def test_folding_hides_unchanged_lines_only(before: str, now: str, keep: int) -> None:
    whole = side_by_side(before, now, fold=False)
    unfolded, place = [], 0
    for pair in side_by_side(before, now, keep=keep):
        if pair.kind is Kind.FOLDED:
            hidden = whole[place : place + pair.count]
            assert {(p.kind, p.right and p.right.number == keep) for p in hidden} == {
                (Kind.SAME, False)
            }
            unfolded += hidden
            place += pair.count
        else:
            unfolded.append(pair)
            place += 1
    assert unfolded == whole


@given(LINES.map("\n".join), LINES.map("\n".join))
@example("a\nb", "a\nb\n")
@example("a\n", "a")
def test_applying_the_unified_diff_gives_the_new_program(before: str, now: str) -> None:
    lines = unified(before, now)
    if before == now:
        assert lines == []
    else:
        assert applied(before, lines) == now


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_unified_diff_is_printable(before: str, now: str) -> None:
    assert all(line.isprintable() for line in unified(before, now))


def test_a_unified_diff_reads_as_diff_u_writes_it() -> None:
    before = numbered(12)
    assert unified(before, numbered(12, l2="two", l12="twelve").removesuffix("\n")) == [
        "--- baseline",
        "+++ candidate",
        "@@ -1,5 +1,5 @@",
        " line 1",
        "-line 2",
        "+two",
        " line 3",
        " line 4",
        " line 5",
        "@@ -9,4 +9,4 @@",
        " line 9",
        " line 10",
        " line 11",
        "-line 12",
        "+twelve",
        "\\ No newline at end of file",
    ]


@pytest.mark.parametrize(
    ("before", "now", "hunk"),
    [
        pytest.param("", "a\n", ["@@ -0,0 +1 @@", "+a"], id="from nothing"),
        pytest.param("a\n", "", ["@@ -1 +0,0 @@", "-a"], id="to nothing"),
        pytest.param(
            "a", "a\n", ["@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+a"],
            id="only the last newline",
        ),
    ],
)  # fmt: skip
def test_empty_programs_and_missing_newlines(before: str, now: str, hunk: list[str]) -> None:
    assert unified(before, now)[2:] == hunk


def test_control_characters_are_shown_and_end_no_line() -> None:
    assert unified("x\n", f"{HOSTILE}y\n")[-1] == (r"+\x1b[31m\x00\r\u202e\u2028\x85\ud800y")
    assert len(side_by_side("x", HOSTILE)) == 1


def test_a_stretch_of_more_than_six_unchanged_lines_is_folded_between_its_ends() -> None:
    def kinds(count: int) -> list[tuple[Kind, int]]:
        before = numbered(count + 2)
        changed = numbered(count + 2, l1="first", **{f"l{count + 2}": "last"})
        return [(pair.kind, pair.count) for pair in side_by_side(before, changed)[1:-2]]

    assert kinds(6) == [(Kind.SAME, 0)] * 6
    two = [(Kind.SAME, 0)] * 2
    assert kinds(7) == [*two, (Kind.FOLDED, 3), *two]


def test_unchanged_lines_before_the_first_change_fold_from_the_top() -> None:
    pairs = side_by_side(numbered(20), numbered(20, l18="x"))
    assert (pairs[0].kind, pairs[0].count) == (Kind.FOLDED, 15)
    assert [pair.right.number for pair in pairs[1:] if pair.right] == [16, 17, 18, 19, 20, 21]


def test_the_line_to_keep_is_never_folded() -> None:
    pairs = side_by_side(numbered(30), numbered(30, l1="x"), keep=15)
    assert 15 in [pair.right.number for pair in pairs if pair.right]


def test_words_that_changed_are_marked() -> None:
    pairs = side_by_side("    return n * n", "    return n + n")
    assert pairs[0].left is not None
    assert pairs[0].left.pieces == (("    return n ", False), ("*", True), (" n", False))
    assert pairs[0].right is not None
    assert pairs[0].right.pieces == (("    return n ", False), ("+", True), (" n", False))


def test_lines_without_a_common_word_are_not_marked() -> None:
    (pair,) = side_by_side("import math", "xs.sort(key=len, reverse=True)")
    assert pair.left is not None
    assert pair.left.pieces == (("import math", False),)


def test_a_changed_line_stands_beside_what_it_became() -> None:
    before = "def f(n):\n    return n * n"
    now = "import math\n\ndef f(n: int) -> int:\n    if n < 0:\n        raise E\n    return n ** n"
    assert [
        (pair.kind, pair.left.number if pair.left else 0, pair.right.number if pair.right else 0)
        for pair in side_by_side(before, now)
    ] == [
        (Kind.ADDED, 0, 1),
        (Kind.ADDED, 0, 2),
        (Kind.CHANGED, 1, 3),
        (Kind.ADDED, 0, 4),
        (Kind.ADDED, 0, 5),
        (Kind.CHANGED, 2, 6),
    ]


def test_long_lines_are_cut_and_say_by_how_much() -> None:
    lines = unified("x", "y" * 100_000)
    assert lines[-2].endswith("yyy ... 99,001 characters more")
    (pair,) = side_by_side("x", "y" * 100_000)
    assert pair.right is not None
    assert pair.right.text.endswith("yyy ... 99,000 characters more")


def test_a_long_diff_ends_with_what_is_left_out() -> None:
    before, now = "old\n" * 600, "".join(f"new {k}\n" for k in range(600))
    assert unified(before, now)[-1] == "... 803 lines of the diff left out"
    pairs = side_by_side(before, now)
    assert len(pairs) == diff.SHOWN_LINES + 1
    assert (pairs[-1].kind, pairs[-1].count) == (Kind.LEFT_OUT, 201)


def test_what_is_not_compared_is_counted() -> None:
    before, now = numbered(1500), numbered(3000, l5="five")
    assert unified(before, now)[-1] == (
        "... 500 lines of the baseline and 2,000 of the candidate not compared"
    )
    assert side_by_side(before, now)[-1].count == 2000


WORDS = st.lists(st.sampled_from("abcd"), max_size=40)


@given(WORDS, WORDS)
def test_a_common_subsequence_is_common_and_as_long_as_can_be(a: list[str], b: list[str]) -> None:
    @cache
    def longest(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        return max(longest(i + 1, j), longest(i, j + 1), longest(i + 1, j + 1) + (a[i] == b[j]))

    matches = common(a, b)
    assert all(a[i] == b[j] for i, j in matches)
    assert all(x < y and i < j for (x, i), (y, j) in pairwise(matches))
    assert len(matches) == longest(0, 0)


@given(WORDS, WORDS)
def test_it_finds_at_least_what_difflib_finds(a: list[str], b: list[str]) -> None:
    blocks = SequenceMatcher(None, a, b).get_matching_blocks()
    assert len(common(a, b)) >= sum(block.size for block in blocks)


def shuffled(words: Sequence[str], per_line: int, lines: int, seed: int) -> str:
    chosen = random.Random(seed)
    return "\n".join(" ".join(chosen.choices(words, k=per_line)) for _ in range(lines))


SLOW = {
    "one long line": ("x" * 1_000_000, "x" * 999_000 + "y"),
    "two lines over and over": ("a\nb\n" * 3000, "b\na\na\n" * 2000),
    "lines of two words": (shuffled("ab", 100, 500, 1), shuffled("ab", 100, 500, 2)),
    "few different lines": (shuffled("abcdefgh", 1, 3000, 1), shuffled("abcdefgh", 1, 3000, 2)),
    "many lines": (numbered(200_000), numbered(200_000, l7="seven")),
}


@pytest.mark.parametrize("name", SLOW)
def test_no_program_makes_a_diff_slow(name: str) -> None:
    def seconds() -> float:
        begin = time.process_time()
        unified(*SLOW[name])
        side_by_side(*SLOW[name])
        return time.process_time() - begin

    assert min(seconds() for _ in range(3)) < 0.1
