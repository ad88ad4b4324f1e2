"""How a task is put to a model: the styles, their exact texts, their stop sequences.

Knows nothing of tokens and packs; a pack's chat template comes in as its source text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.tasks.mbpp import docstring_prompt

if TYPE_CHECKING:
    from pytest_anchorgate.tasks.chat import ChatTemplate
    from pytest_anchorgate.tasks.task import Task


class PromptStyle(StrEnum):
    """The forms a prompt can take."""

    DOCSTRING = "docstring"
    PAPER = "paper"
    COMPLETION = "completion"
    CHAT = "chat"


def parse_style(text: str) -> PromptStyle:
    """Return the prompt style that ``--gate-prompt`` names; `UsageError` if there is none."""
    try:
        return PromptStyle(text)
    except ValueError:
        raise UsageError(
            f"--gate-prompt={text}: no such prompt style. Choose from: {', '.join(PromptStyle)}."
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model reads. With ``continues`` the program is ``text`` and the completion."""

    text: str
    style: PromptStyle
    continues: bool
    stop: tuple[str, ...] = ()


# All begin in column 0 of a new line, where no function body can be: a helper, a second
# function or an indented print is never cut. EvalPlus stops at these too (and at more).
CODE_STOPS = ('\n"""', "\nassert ", "\nprint(", "\nif __name__")
PAPER_STOPS = ("[DONE]",)

# Austin et al. 2021, "Program Synthesis with Large Language Models", section 3.
_PAPER = "You are an expert Python programmer, and here is your task: "
_PAPER_TESTS = " Your code should pass these tests:\n\n"
_PAPER_BEGIN = "\n[BEGIN]\n"
_CHAT = (
    "Complete the Python program below. Answer with the whole program, its imports included, "
    "in one ```python code block.\n\n```python\n{code}\n```"
)


def render_prompt(
    task: Task, style: PromptStyle, *, chat_template: ChatTemplate | None = None
) -> Prompt:
    """Return the task's prompt in a style; only chat needs the template.

    Raises `UsageError` for chat without a template, and when the template fails.
    """
    if style is PromptStyle.PAPER:
        return Prompt(text=_paper_text(task), style=style, continues=False, stop=PAPER_STOPS)
    if style is PromptStyle.CHAT:
        return Prompt(text=_chat_text(task, chat_template), style=style, continues=False)
    text = task.prompt if style is PromptStyle.COMPLETION else _docstring_text(task)
    return Prompt(text=text, style=style, continues=True, stop=CODE_STOPS)


def _docstring_text(task: Task) -> str:
    return docstring_prompt(task.text, task.tests[0]) if task.text else task.prompt


def _paper_text(task: Task) -> str:
    if task.text:
        return _PAPER + task.text + _PAPER_TESTS + "\n".join(task.tests) + _PAPER_BEGIN
    return _PAPER + "\n\n" + task.prompt.rstrip() + "\n" + _PAPER_BEGIN


def _chat_text(task: Task, template: ChatTemplate | None) -> str:
    if template is None:
        raise UsageError(
            f"{task.id}: the prompt style 'chat' needs the pack's chat template, and it has none. "
            f"Choose another with --gate-prompt: {', '.join(PromptStyle)}."
        )
    content = _CHAT.format(code=_docstring_text(task).rstrip())
    return template.render([{"role": "user", "content": content}])
