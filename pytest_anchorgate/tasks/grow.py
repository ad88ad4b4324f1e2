"""How far a text is the program it began as: code in front, a model's text behind it."""

from __future__ import annotations

import builtins
import re
from itertools import islice
from typing import TYPE_CHECKING

from pytest_anchorgate.tasks.syntax import (
    bound_names,
    find_definition,
    free_names,
    longest_prefix,
    parse_source,
    split_lines,
    used_names,
)
from pytest_anchorgate.tasks.trim import line_range, trim

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable

    from pytest_anchorgate.tasks.task import Task

# Tokens that a model may spell out: <|im_end|>, </s>, <end_of_turn>; \uff5c is DeepSeek's bar.
_TOKEN = r"<(?:[|\uff5c][^|\uff5c<>\n]{1,40}[|\uff5c]|/?s|bos|eos|pad|unk|(?:start|end)_of_turn)>"
_TOKENS = re.compile(_TOKEN)
_LEADING_TOKENS = re.compile(rf"(?:\s*{_TOKEN})+")
_MOST_TOKENS = 8  # how many special tokens are tried as the text's end
# Those of them that Python may read as comparisons: return x<eos>So
_WORD_TOKENS = re.compile(r"<(s|bos|eos|pad|unk|start_of_turn|end_of_turn)>")
_BUILTINS = frozenset(dir(builtins))


def without_leading_tokens(text: str) -> str:
    """Return the text from where its leading special tokens end, if it has any."""
    match = _LEADING_TOKENS.match(text)
    return text[match.end() :] if match else text


def longest_text(head: str, text: str) -> str | None:
    """Return the whole lines of text that compile behind head; None when head alone does not.

    A special token may end the text within a line, but only where reading on fails.
    """
    kept = _whole_lines(head, text)
    start = len(kept or "")
    for token in islice(_TOKENS.finditer(text, start), _MOST_TOKENS):
        shorter = _whole_lines(head, text[: token.start()])
        if shorter is not None and len(shorter) > len(kept or ""):
            kept = shorter
    return kept


def _whole_lines(head: str, text: str) -> str | None:
    lines = split_lines(text)
    count = longest_prefix(head, lines)
    return None if count is None else "".join(lines[:count])


class Grower:
    """Finds the program that a task's answer makes of a head and a text behind it."""

    def __init__(self, task: Task, stop: tuple[str, ...]) -> None:
        tests = [tree for part in (task.setup, *task.tests) if (tree := parse_source(part))]
        self.entry = task.entry_point
        self.roots = {task.entry_point}.union(*map(used_names, tests))
        self.stop = stop

    def stopped(self, text: str) -> str:
        """Return the text up to the first stop sequence."""
        ends = [at for stop in self.stop if (at := text.find(stop)) >= 0]
        return text[: min(ends)] if ends else text

    def grow(self, head: str, text: str) -> str | None:
        """Return the program if the text gives the entry point a body, else None.

        What follows a stop sequence counts only where the program lacks something without it.
        """
        stopped = self.stopped(text)
        program = self._grown(head, stopped)
        if stopped == text or (program and not _missing(program)):
            return program
        longer = self._grown(head, text)
        if program and longer and len(_missing(longer)) >= len(_missing(program)):
            return program
        return longer or program

    def _grown(self, head: str, text: str) -> str | None:
        kept = longest_text(head, text)
        tree = parse_source(head + kept) if kept and kept.strip() else None
        if kept is None or tree is None:
            return None
        from_line = head.count("\n") + 1
        entry = find_definition(tree, self.entry, from_line=from_line)
        if entry is None:
            return None
        words = free_names(tree) - bound_names(tree.body)
        for token in _WORD_TOKENS.finditer(kept):
            if token[1] in words and (program := self._grown(head, kept[: token.start()])):
                return program
        return trim(head + kept, tree, entry, from_line=from_line, roots=self.roots)


def _missing(source: str) -> set[str]:
    """Return the names that a program uses and nothing defines."""
    tree = parse_source(source)
    if tree is None:
        return set()
    return free_names(tree) - bound_names(tree.body) - _BUILTINS


def missing_definitions(program: str, blocks: Iterable[str]) -> str:
    """Return the source of what a program uses, does not define, and finds in other blocks."""
    missing = _missing(program)
    if not missing:
        return ""
    sources: dict[str, str] = {}
    for block in blocks:
        kept = longest_text("", block) or ""
        tree = parse_source(kept)
        for node in tree.body if tree else ():
            for name in bound_names([node]):
                sources.setdefault(name, _source_of(node, kept))
    found: dict[str, None] = {}  # an ordered set: what is needed first stands first
    while names := [name for name in sorted(missing) if name in sources]:
        source = sources.pop(names[0])
        found = {source: None, **found}
        missing = (missing - {names[0]}) | _missing(source)
    return "".join(found)


def _source_of(node: ast.stmt, source: str) -> str:
    lines = split_lines(source)
    text = "".join(lines[number - 1] for number in line_range(node))
    return text if text.endswith("\n") else f"{text}\n"
