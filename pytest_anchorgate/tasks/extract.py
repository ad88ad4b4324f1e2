"""From a completion to the program that will run. Reads source, never runs it.

Every stage is tried in a fixed order; the first that yields a program which compiles and
gives the entry point a body decides, and its name is kept for the report.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_anchorgate.tasks.grow import (
    Grower,
    longest_text,
    missing_definitions,
    without_leading_tokens,
)
from pytest_anchorgate.tasks.syntax import bound_names, normal_newlines, parse_source, split_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_anchorgate.tasks.prompt import Prompt
    from pytest_anchorgate.tasks.task import Task

# Part of a certificate's identity: raise it whenever an extraction may come out different.
EXTRACTOR_VERSION = 1


class Stage(StrEnum):
    """What decided an extraction."""

    WHOLE = "whole"  # a published sample: the program as it was given
    REPEATED = "repeated"  # the completion begins with the prompt again
    PROGRAM = "program"  # the completion is a program by itself
    CONTINUATION = "continuation"  # the completion goes on where the prompt's code ends
    FENCED = "fenced"  # a Markdown code block
    REGION = "region"  # lines amid prose that define the entry point
    REINDENTED = "reindented"  # a function body whose indentation was lost
    RAW = "raw"  # nothing parses: the text as it came, to fail with its own error


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """The program of a completion, and the stage that decided."""

    program: str
    stage: Stage


# A line that opens or closes a Markdown code block, in a list item perhaps, or after words.
FENCE = re.compile(
    r"^(?P<indent>[ \t]*(?:(?:[-*+]|\d+[.)])[ \t]+)?)[^`~\n]*(?:`{3,}[^`\n]*|~{3,}[^\n]*)\n",
    re.MULTILINE,
)
_LINE = re.compile(r"^(?=.*\S)", re.MULTILINE)
_FUTURE = "from __future__ "
_INDENT = "    "


def extract(prompt: Prompt, completion: str, task: Task) -> Extraction:
    """Return the program that a completion of this prompt means, and how it was found.

    Never raises for what a model may write.
    """
    return _Extractor(prompt, completion, task).extraction()


class _Extractor:
    """One completion's text, the code it may continue, and the names that tests need."""

    def __init__(self, prompt: Prompt, completion: str, task: Task) -> None:
        self.prompt = prompt
        self.raw = completion
        self.text = without_leading_tokens(normal_newlines(completion))
        codes = [prompt.text, task.prompt] if prompt.continues else [task.prompt]
        self.codes = list(dict.fromkeys(map(normal_newlines, codes)))
        name = re.escape(task.entry_point)
        self.opening = re.compile(rf"^(?:@.*\n)*(?:(?:async +)?def|class) +{name}\b", re.MULTILINE)
        self.definition = re.compile(
            rf"^[ \t]*(?:(?:async +)?def|class|.*\bimport\b.*) *\b{name}\b|^[ \t]*{name} *[:=]",
            re.MULTILINE,
        )
        self.grower = Grower(task, prompt.stop)

    def extraction(self) -> Extraction:
        for stage, find in self._stages():
            if program := find(self.text):
                return Extraction(program=program, stage=stage)
        return self._unfound()

    def _stages(self) -> list[tuple[Stage, Callable[[str], str | None]]]:
        repeated = (Stage.REPEATED, self._repeated)
        program = (Stage.PROGRAM, self._program)
        continuation = (Stage.CONTINUATION, self._continuation)
        fenced = (Stage.FENCED, self._fenced)
        last = [(Stage.REGION, self._region), (Stage.REINDENTED, self._reindented)]
        if not self.prompt.continues:
            return [fenced, program, repeated, *last[:1], continuation, *last[1:]]
        if self.opening.search(self.codes[0]):
            return [repeated, program, continuation, fenced, *last]
        return [repeated, continuation, fenced, program, *last]

    def _unfound(self) -> Extraction:
        """Return what the completion made of the prompt's code: an unfinished body, an error."""
        if not self.prompt.continues:
            return Extraction(program=self.raw, stage=Stage.RAW)
        code = self.codes[0]
        kept = longest_text(code, self.grower.stopped(self.text))
        if kept is None or not kept.strip():
            return Extraction(program=code + self.raw, stage=Stage.RAW)
        return Extraction(program=code + kept, stage=Stage.CONTINUATION)

    def _continuation(self, text: str) -> str | None:
        return _first(self.grower.grow(code, text) for code in self.codes)

    def _repeated(self, text: str) -> str | None:
        """Continue the prompt behind its repetition, or behind a later one that leads further."""
        for code in self.codes:
            start = code.strip()
            if start and text.lstrip().startswith(start):
                ends = [match.end() for match in re.finditer(re.escape(start), text)]
                return _first(self.grower.grow(code.rstrip(), text[end:]) for end in ends)
        return None

    def _program(self, text: str, helpers: str = "") -> str | None:
        """Return text that defines the entry point by itself, behind the prompt's own helpers."""
        head = self._preamble() + helpers
        lines = split_lines(text)
        future = "".join(line for line in lines if line.startswith(_FUTURE))
        rest = "".join(line for line in lines if not line.startswith(_FUTURE))
        return self.grower.grow(future + head, rest) if head else self.grower.grow("", text)

    def _preamble(self) -> str:
        """Return the part of the prompt's code that a program of its own may rely on."""
        code = self.codes[-1]
        if match := self.opening.search(code):
            code = code[: match.start()]
        tree = parse_source(code)
        if tree is None or not bound_names(tree.body):
            return ""
        return code if code.endswith("\n") else f"{code}\n"

    def _fenced(self, text: str) -> str | None:
        """Return the first code block that solves the task; where it ends, parsing tells."""
        blocks = [
            _unindented(text[match.end() :], len(match["indent"])) for match in FENCE.finditer(text)
        ]
        blocks = [variant for block in blocks for variant in (block, _dedented(block))]
        program = self._complete_program(list(dict.fromkeys(blocks)))
        bodies = (self._continuation, self._reindented)
        # A block's first line is a line of its own, also behind a prompt that ends within one.
        gap = "" if self.codes[0].endswith("\n") else "\n"
        return program or _first(find(gap + block) for block in blocks for find in bodies)

    def _region(self, text: str) -> str | None:
        """Return the program that begins at the first line from which one can be read."""
        last = max((match.start() for match in self.definition.finditer(text)), default=-1)
        starts = [match.start() for match in _LINE.finditer(text) if match.start() <= last]
        return self._complete_program([_dedented(text[start:]) for start in starts])

    def _complete_program(self, blocks: list[str]) -> str | None:
        """Return the first block that is a program, with what it lacks from the other blocks."""
        for block in blocks:
            if program := self._program(block):
                helpers = missing_definitions(program, blocks)
                return (self._program(block, helpers) if helpers else None) or program
        return None

    def _reindented(self, text: str) -> str | None:
        """Continue the prompt with a body whose first line, or every line, lost its indent."""
        body = text.lstrip("\n")
        for code in filter(self.opening.search, self.codes):
            last = code.rstrip().rpartition("\n")[2]
            indent = last[: len(last) - len(last.lstrip())] or _INDENT
            head = code if code.endswith("\n") else f"{code.rstrip()}\n"
            variants = (indent + body.lstrip(), textwrap.indent(_dedented(body), indent))
            if program := _first(self.grower.grow(head, variant) for variant in variants):
                return program
        return None


def _first(programs: Iterable[str | None]) -> str | None:
    return next(filter(None, programs), None)


def _dedented(text: str) -> str:
    """Take the first line's indentation from every line that has it."""
    first = text.lstrip("\n").partition("\n")[0]
    return _unindented(text, len(first) - len(first.lstrip()))


def _unindented(text: str, most: int) -> str:
    return re.sub(rf"^[ \t]{{1,{most}}}", "", text, flags=re.MULTILINE) if most else text
