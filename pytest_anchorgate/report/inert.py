"""Text that nobody vouches for, made safe to look at: bounded, and nothing in it obeyed or hidden.

What does not print (control and bidi characters, invisible spaces, lone surrogates) is shown as
the escape that Python would write; in code it is marked, so that it differs from an escape that
the model wrote.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from pytest_anchorgate.sandbox.values import escape as visible

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_CHARACTERS = 1000
TAB = 4


def cut(text: str, most: int) -> str:
    """Return one printable line of at most ``most`` characters, and how many were cut."""
    beyond = len(text) - most
    return f"{visible(text[:most])} … {_count(beyond, 'character')} more" if beyond > 0 else text


def code(text: str, *, lines: int, characters: int) -> Markup:
    """Return the first lines of ``text`` as HTML, at most so many, and what was cut."""
    kept = text[:characters].split("\n")[:lines]
    shown = [line(each) for each in kept]
    beyond = text[len("\n".join(kept)) :]
    if beyond.strip("\n"):
        shown.append(_left_out(beyond.removeprefix("\n"), "more"))
    return Markup("\n").join(shown)


def tail(text: str, *, characters: int) -> Markup:
    """Return the end of ``text`` as HTML, and what was cut before it."""
    begin = max(0, len(text) - characters)
    shown = [line(each) for each in text[begin:].split("\n")]
    if begin:
        shown.insert(0, _left_out(text[:begin], "before"))
    return Markup("\n").join(shown)


def line(text: str, most: int = LINE_CHARACTERS) -> Markup:
    """Return one line as HTML, at most ``most`` characters of it."""
    shown = Markup("").join(_pieces(text[:most].expandtabs(TAB)))
    beyond = len(text) - most
    return shown + _cut_mark(f"{_count(beyond, 'character')} more") if beyond > 0 else shown


def _pieces(text: str) -> Iterator[Markup]:
    if text.isprintable():
        yield escape(text)
        return
    for printable, run in groupby(text, key=str.isprintable):
        shown = "".join(run)
        yield escape(shown) if printable else Markup("<i>{}</i>").format(visible(shown))


def _left_out(text: str, where: str) -> Markup:
    lines = text.count("\n")
    of = f" on {_count(lines + 1, 'line')}" if lines else ""
    return _cut_mark(f"{_count(len(text), 'character')}{of} {where}")


def _cut_mark(words: str) -> Markup:
    return Markup('<b class="cut">… {}</b>').format(words)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
