from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.report import inert


def test_an_escape_is_marked_where_it_stands_in_code() -> None:
    shown = inert.line("a\x1b\x00b<\\x1b")
    assert shown == r"a<i>\x1b\x00</i>b&lt;\x1b"


@given(st.text(), st.integers(1, 20), st.integers(1, 200))
def test_code_is_bounded_and_printable(text: str, lines: int, characters: int) -> None:
    shown = inert.code(text, lines=lines, characters=characters)
    assert shown.count("\n") <= lines
    assert shown.replace("\n", "").isprintable()
    assert len(shown.unescape()) <= 11 * characters + 100


@pytest.mark.parametrize(
    ("text", "lines", "characters", "shown"),
    [
        pytest.param("a\nb\n", 5, 50, "a\nb\n", id="all of it"),
        pytest.param("a\nb\nc\nd", 2, 50, "a\nb\n… 3 characters on 2 lines more", id="lines"),
        pytest.param("abcdef", 5, 4, "abcd\n… 2 characters more", id="characters"),
        pytest.param("", 5, 4, "", id="nothing"),
    ],
)
def test_code_says_what_was_cut(text: str, lines: int, characters: int, shown: str) -> None:
    found = inert.code(text, lines=lines, characters=characters)
    assert re.sub(r"</?b[^>]*>", "", found) == shown


def test_a_tail_says_what_was_cut_before_it() -> None:
    assert inert.tail("abc\ndef", characters=3) == (
        '<b class="cut">… 4 characters on 2 lines before</b>\ndef'
    )
    assert inert.tail("def", characters=3) == "def"
