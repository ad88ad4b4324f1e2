"""How a task is put to a model: the styles, their exact texts, their stop sequences.

Knows nothing of tokens and packs; a pack's chat template comes in as its source text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.tasks.mbpp import docstring_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2.parser import Parser

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


class ChatTemplate:
    """A Jinja2 chat template, rendered as transformers' ``apply_chat_template`` renders it.

    The source comes from a pack and is not trusted: it runs in Jinja2's immutable sandbox.
    """

    def __init__(self, source: str, *, special_tokens: Mapping[str, str]) -> None:
        self._special_tokens = dict(special_tokens)
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise _template_error(error) from error

    def render(
        self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Return the conversation as text that ends where the model's answer begins.

        Raises `UsageError` with one line for whatever the template raises.
        """
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except Exception as error:  # an untrusted template may raise anything
            raise _template_error(error) from error


def _template_error(error: Exception) -> UsageError:
    line = getattr(error, "lineno", None)
    where = f"chat template:{line}" if line else "chat template"
    words = " ".join(str(error).split())
    return UsageError(f"{where}: {type(error).__name__}: {words}. Mend the pack's chat template.")


class _Generation(jinja2.ext.Extension):
    """The ``{% generation %}`` block, which marks the assistant's tokens for training only."""

    tags = {"generation"}  # noqa: RUF012 (Jinja2 declares it so)

    def parse(self, parser: Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Namespace(jinja2.utils.Namespace):
    """Jinja2's namespace without underscored attributes, a way out of the sandbox."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, rest = args[0], args[1:]
        values = dict(*rest, **kwargs)
        for name in values:
            _refuse_underscore(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_underscore(name)
        super().__setitem__(name, value)


def _refuse_underscore(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace cannot hold the attribute {name!r}")


class _Dict:
    """``dict`` for templates: callable, with ``fromkeys``, and not the type itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


def _environment() -> ImmutableSandboxedEnvironment:
    """Return the environment of transformers 5.23, `utils/chat_template_utils.py`."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _Namespace
    return environment


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)
