"""From tasks to requests: the pack's prompt style, its tokenizer and its limits.

Imports ``tokenizers`` and Jinja2, never transformers: a worker pays 0.03 s for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from pytest_anchorgate.engine.protocol import Request, request_key
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.format import Pack, chat_template, read_pack
from pytest_anchorgate.tasks.prompt import ChatTemplate, Prompt, PromptStyle, render_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.engine.protocol import EngineIdentity
    from pytest_anchorgate.tasks.task import Task

TOKENIZER_CONFIG = "tokenizer_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompter:
    """Turns tasks into requests for one pack under one engine."""

    pack: Pack
    sha256: str
    identity: EngineIdentity
    style: PromptStyle
    template: ChatTemplate | None
    tokenizer: Tokenizer
    max_new_tokens: int
    _encoded: dict[Task, tuple[Prompt, list[int]]] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        path: str,
        *,
        sha256: str,
        identity: EngineIdentity,
        style: PromptStyle | None,
        max_new_tokens: int,
    ) -> Prompter:
        """Read the pack's header and tokenizer.

        :raises UsageError: when the style is chat and the pack has no template.
        :raises PackError: when the pack cannot be trusted.
        """
        pack = read_pack(Path(path))
        chosen = style or PromptStyle(pack.prompt_style or PromptStyle.DOCSTRING)
        template = _template(pack) if chosen is PromptStyle.CHAT else None
        return cls(
            pack=pack,
            sha256=sha256,
            identity=identity,
            style=chosen,
            template=template,
            tokenizer=Tokenizer.from_str(pack.asset("tokenizer.json").decode()),
            max_new_tokens=max_new_tokens,
        )

    def prompt(self, task: Task) -> Prompt:
        """Return the task's prompt in this pack's style."""
        return self._encode(task)[0]

    def request(self, task: Task) -> Request:
        """Return what the model is asked for a task."""
        prompt, ids = self._encode(task)
        return self._request(ids, stop=prompt.stop, limit=self.max_new_tokens)

    def raw_request(self, text: str, *, max_new_tokens: int | None, stop: Sequence[str]) -> Request:
        """Return a request for the continuation of ``text`` as it is.

        :raises UsageError: when text and answer do not fit the context.
        """
        limit = max_new_tokens or self.max_new_tokens
        ids = self.tokenizer.encode(text).ids
        if not ids:
            raise UsageError("planck.complete(''): the prompt has no tokens. Give some text.")
        if len(ids) + limit > self.pack.context:
            raise UsageError(
                f"planck.complete(): {self._too_long(len(ids), limit)} Shorten the prompt or "
                "lower max_new_tokens."
            )
        return self._request(ids, stop=tuple(stop), limit=limit)

    def overflow(self, task: Task) -> str | None:
        """Return why the task's prompt and answer cannot fit the context, or None."""
        tokens = len(self._encode(task)[1])
        if tokens + self.max_new_tokens <= self.pack.context:
            return None
        return f"{task.id}: {self._too_long(tokens, self.max_new_tokens)}"

    def _too_long(self, tokens: int, limit: int) -> str:
        return (
            f"a prompt of {tokens} tokens and an answer of up to {limit} exceed the pack's "
            f"context of {self.pack.context}."
        )

    def _encode(self, task: Task) -> tuple[Prompt, list[int]]:
        """Return the task's prompt with its token ids, rendered and encoded once."""
        if task not in self._encoded:
            prompt = render_prompt(task, self.style, chat_template=self.template)
            # A chat template writes the special tokens itself, as apply_chat_template has it.
            plain = prompt.style is not PromptStyle.CHAT
            ids = self.tokenizer.encode(prompt.text, add_special_tokens=plain).ids
            self._encoded[task] = prompt, ids
        return self._encoded[task]

    def _request(self, ids: Sequence[int], *, stop: tuple[str, ...], limit: int) -> Request:
        key = request_key(
            self.sha256, self.identity, prompt_ids=ids, stop=stop, max_new_tokens=limit
        )
        return Request(key=key, prompt_ids=tuple(ids), stop=stop, max_new_tokens=limit)


def _template(pack: Pack) -> ChatTemplate:
    source = chat_template(pack)
    if source is None:
        raise UsageError(
            f"{pack.path}: has no chat template, and --gate-prompt=chat needs one. "
            "Choose docstring, paper or completion."
        )
    settings = (
        json.loads(pack.asset(TOKENIZER_CONFIG)) if TOKENIZER_CONFIG in pack.asset_names else {}
    )
    return ChatTemplate(source, special_tokens=_special_tokens(settings))


def _special_tokens(settings: dict[str, object]) -> dict[str, str]:
    """Return the tokens by role (``eos_token``, ...); each is a string or ``{"content": ...}``."""
    tokens = {}
    for role, value in settings.items():
        if role.endswith("_token"):
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                tokens[role] = text
    return tokens
