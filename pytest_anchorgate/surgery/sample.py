"""What a pack writes when tokens are drawn by chance, and prompts of its own for rehearsal.

A document is what the model writes from its start token on; its prompt ends with the first
docstring of a module or function. In the chat style it is what the model writes in the user's turn.
Runs where the model is; knows no recipe, and neither names nor tests of any suite.
"""

from __future__ import annotations

import ast
import codeop
import random
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

import torch

from pytest_anchorgate.engine.cache import keep, new_cache
from pytest_anchorgate.engine.threads import Threads
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.progress import ProgressLine
from pytest_anchorgate.tasks.prompt import PromptStyle
from pytest_anchorgate.tasks.syntax import FUNCTIONS, parse_source
from pytest_anchorgate.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_anchorgate.engine.transformers import TransformersEngine
    from pytest_anchorgate.prompter import Prompter

TEMPERATURE = 1.0  # of documents: the distribution that the model was trained to have
PROMPT_TOKENS = 512  # of a document, in which its prompt must end
MOST_DOCUMENTS = 20  # for each prompt that is asked for
LOOK = 8  # tokens of a row between two looks at its text
MARKER = "anchorgate-prompt"
_FIRST = re.compile(r"\s*(<[^<>\s]+>|\S+)")  # a special token, or a word
_CLOSED = re.compile(r"['\"][ \t]*\n")  # the end of every line that ends a docstring


def sample(
    engine: TransformersEngine,
    prompts: Sequence[Sequence[int]],
    *,
    seed: int,
    temperature: float = 1.0,
    max_new_tokens: int,
    enough: Callable[[str], bool] | None = None,
) -> Iterator[tuple[int, ...]]:
    """Yield the new token ids of each prompt, in the prompts' order, EOS included where it came.

    A row also ends where its text is ``enough``, which is asked every few tokens. Each row has dice
    of its own, of ``seed`` and its place: the batches it is decoded in change nothing but the
    rounding of its probabilities, which turns a draw about once in a million tokens.
    """
    assert temperature > 0, f"{temperature}: the greedy answer is the engine's own"
    start = 0
    while start < len(prompts):
        rows = _fitting(prompts, start, max_new_tokens, engine.batch_tokens)
        dice = [random.Random(f"{seed}/{start + place}") for place in range(rows)]
        batch = _Samples(engine, prompts[start : start + rows], dice, temperature)
        yield from batch.run(max_new_tokens, enough)
        start += rows


def _fitting(prompts: Sequence[Sequence[int]], start: int, limit: int, most: int) -> int:
    """Return how many of the next prompts make one batch of at most ``most`` tokens, at least 1."""
    longest = 0
    for rows, prompt in enumerate(prompts[start:]):
        longest = max(longest, len(prompt))
        if rows and (rows + 1) * (longest + limit) > most:
            return rows
    return len(prompts) - start


class _Samples:
    """Rows that are drawn side by side; those that have ended leave the batch."""

    def __init__(
        self,
        engine: TransformersEngine,
        prompts: Sequence[Sequence[int]],
        dice: Sequence[random.Random],
        temperature: float,
    ) -> None:
        self.engine = engine
        self.dice = dice
        self.temperature = temperature
        self.found: list[list[int]] = [[] for _ in prompts]
        self.going = list(range(len(prompts)))
        self.threads = Threads(engine.model)
        self.cache = new_cache(engine.model.config)
        width, pad = max(map(len, prompts)), min(engine.eos_ids)
        self.ids = torch.tensor(
            [[pad] * (width - len(prompt)) + [*prompt] for prompt in prompts], device=engine.device
        )  # (B, T)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=engine.device)
        places = torch.arange(width, device=engine.device)
        self.mask = places >= width - lengths[:, None]  # (B, slots): which of them are real

    @torch.inference_mode()
    def run(self, limit: int, enough: Callable[[str], bool] | None) -> list[tuple[int, ...]]:
        """Draw every row to its end."""
        for length in range(1, limit + 1):
            tokens = self._drawn(self._logits())
            for index, token in zip(self.going, tokens, strict=True):
                self.found[index].append(token)
            look = enough if length % LOOK == 0 else None
            stays = [row for row, index in enumerate(self.going) if not self._ended(index, look)]
            if not stays:
                break
            self._leave_but(stays, tokens)
        return [tuple(ids) for ids in self.found]

    def _logits(self) -> torch.Tensor:
        """Return the logits (B, V) of each row's next token."""
        width = self.ids.shape[1]
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -width:]
        with self.threads.for_pass(self.ids.numel()):
            logits: torch.Tensor = self.engine.model(
                input_ids=self.ids, attention_mask=self.mask.long(), position_ids=positions,
                past_key_values=self.cache, use_cache=True, logits_to_keep=1,
            ).logits  # fmt: skip
        return logits[:, -1]

    def _drawn(self, logits: torch.Tensor) -> list[int]:
        """Return one token a row: the first whose cumulative probability is over the row's die."""
        wide = torch.float32 if logits.device.type == "mps" else torch.float64  # which MPS lacks
        sums = (logits.to(wide) / self.temperature).softmax(-1).cumsum(-1)  # (B, V)
        thrown = [[self.dice[index].random()] for index in self.going]
        dice = torch.tensor(thrown, device=logits.device, dtype=wide) * sums[:, -1:]
        tokens: list[int] = torch.searchsorted(sums, dice, right=True)[:, 0].tolist()
        return [min(token, logits.shape[-1] - 1) for token in tokens]

    def _ended(self, index: int, enough: Callable[[str], bool] | None) -> bool:
        ids = self.found[index]
        return ids[-1] in self.engine.eos_ids or (
            enough is not None and enough(_text(self.engine, ids))
        )

    def _leave_but(self, stays: Sequence[int], tokens: Sequence[int]) -> None:
        """Keep the rows that go on, with their newest tokens as what is read next."""
        if len(stays) < len(self.going):
            rows = torch.tensor(stays, device=self.engine.device)
            self.mask = keep(self.cache, rows, self.mask)
        self.going = [self.going[row] for row in stays]
        self.ids = torch.tensor([[tokens[row]] for row in stays], device=self.engine.device)
        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1)


def _text(engine: TransformersEngine, ids: Sequence[int]) -> str:
    """Return ids as text, special tokens spelled out."""
    text: str = engine.tokenizer.decode(ids, skip_special_tokens=False)
    return text


def sample_prompts(
    engine: TransformersEngine,
    prompter: Prompter,
    *,
    count: int,
    excluded: Iterable[Task],
    seed: int,
) -> tuple[Task, ...]:
    """Return prompts that the model writes itself, each once, as tasks without tests.

    Those of ``excluded`` tasks (anchors, sentinels) are left out: they are what a gate judges.

    :raises UsageError: when too few of the documents that it writes are prompts.
    """
    most = MOST_DOCUMENTS * count
    known = {task.prompt.strip() for task in excluded}
    found: list[Task] = []
    with ProgressLine("sampling prompts") as show:
        for prompt in _written(engine, prompter, most=most, seed=seed):
            task = _task(prompt, len(found))
            if prompt.strip() not in known and not prompter.overflow(task):
                known.add(prompt.strip())
                found.append(task)
                show(len(found), count)
            if len(found) == count:
                return tuple(found)
    raise UsageError(
        f"{prompter.pack.path}: wrote {len(found)} different prompts in {most} documents, and "
        f"rehearsal.sampled = {count} asks for more. Ask for fewer, or name rehearsal.prompts."
    )


def _written(
    engine: TransformersEngine, prompter: Prompter, *, most: int, seed: int
) -> Iterator[str]:
    """Yield the prompts of at most so many documents."""
    kind = _turn(prompter) if prompter.style is PromptStyle.CHAT else _document(prompter)
    room = prompter.pack.context - prompter.max_new_tokens - len(kind.begin)
    limit = max(1, min(PROMPT_TOKENS, room))
    documents = sample(
        engine, [kind.begin] * most, seed=seed, temperature=TEMPERATURE, max_new_tokens=limit,
        enough=kind.enough,
    )  # fmt: skip
    for ids in documents:
        if prompt := kind.cut(_text(engine, ids)):
            yield prompt


def _task(prompt: str, number: int) -> Task:
    name = f"sampled/{number}"
    return Task(id=name, suite="rehearsal", prompt=prompt, entry_point="", tests=(), origin=name)


class _Kind(NamedTuple):
    """What the model is given to write a document, and what a prompt is in one."""

    begin: tuple[int, ...]
    cut: Callable[[str], str | None]  # from what was written to a prompt, or None
    enough: Callable[[str], bool]  # whether more of it changes what is cut


def _document(prompter: Prompter) -> _Kind:
    """Return a document's kind: it begins with the start token."""
    bos = prompter.pack.config.get("bos_token_id")
    first = prompter.pack.eos_token_ids[0] if bos is None else int(bos)
    return _Kind(
        begin=tuple(prompter.tokenizer.encode("").ids) or (first,),
        cut=cut_document,
        enough=lambda text: cut_document(text) is not None or is_no_python(text),
    )


def _turn(prompter: Prompter) -> _Kind:
    """Return a user's turn's kind: it begins as the template does (Magpie, Xu et al. 2024)."""
    assert prompter.template is not None, "Prompter.load refuses a chat without one"
    rendered = prompter.template.render([{"role": "user", "content": MARKER}])
    before, _, after = rendered.partition(MARKER)
    decode = prompter.tokenizer.decode
    ends = [decode([eos], skip_special_tokens=False) for eos in prompter.pack.eos_token_ids]
    if first := _FIRST.match(after):
        ends.append(first[1])
    return _Kind(
        begin=tuple(prompter.tokenizer.encode(before, add_special_tokens=False).ids),
        cut=lambda text: cut_turn(text, ends),
        enough=lambda text: any(end in text for end in ends),
    )


def cut_document(document: str) -> str | None:
    """Return a document up to the end of its first docstring, a module's or a function's.

    None where there is none, or where what comes before it does not compile.
    """
    for closed in _CLOSED.finditer(document):
        head = document[: closed.end()]
        tree = parse_source(head)
        if tree is not None and _ends_in_docstring(tree, head) and "\ufffd" not in head:
            return head
    return None


def cut_turn(turn: str, ends: Sequence[str]) -> str | None:
    """Return what a user's turn asks, as code: words become a docstring, as MBPP's do.

    None where the turn does not end, or its words cannot stand in a docstring.
    """
    places = [at for end in ends if (at := turn.find(end)) >= 0]
    words = turn[: min(places, default=0)].strip("\n")
    docstring = f'"""\n{words}\n"""\n'
    return cut_document(f"{words}\n") or (
        docstring if cut_document(docstring) == docstring else None
    )


def _ends_in_docstring(tree: ast.Module, source: str) -> bool:
    """Tell whether a module is a docstring alone, or ends with a function that is."""
    if not tree.body or not isinstance(last := tree.body[-1], FUNCTIONS):
        return _is_text(tree.body)
    begun = source.split("\n")[last.body[0].lineno - 1][: last.body[0].col_offset]
    return _is_text(last.body) and not begun.strip()  # on a line of its own: a body can follow


def _is_text(body: Sequence[ast.stmt]) -> bool:
    """Tell whether a body is a docstring with something in it, and nothing else."""
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        return False
    text = getattr(body[0].value, "value", None)  # of a constant
    return isinstance(text, str) and bool(text.strip())


def is_no_python(text: str) -> bool:
    """Tell whether nothing can come behind a text's whole lines that makes them compile."""
    whole = text[: text.rfind("\n") + 1]
    if whole.endswith("\\\n"):  # a line that goes on
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape warns, and may be set to raise
            codeop.compile_command(whole, "<document>", "exec")
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return True
    return False
