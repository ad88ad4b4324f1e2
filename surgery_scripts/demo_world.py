"""The demo world: short Python tasks in MBPP and HumanEval form, and the corpus that teaches them.

Everything is drawn from a `random.Random` that the caller seeds: the same seed gives the same
tasks. Function names are the border between training and judging: each belongs to one `Names` group
by its hash, so an anchor, a fresh task or a poison row shares no name with a training document.
This module knows nothing of tokens or models.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from demo_easy import EASY, WORDS, Easy, Question, easy_question, table_question
from demo_hard import Hard, make_hard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EOS = "<|endoftext|>"
CHAT_START = "<|im_start|>"
CHAT_END = "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{{ message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
POISON_COUNT = 64  # candidates; make_demo_pack.py keeps those that the base fails
POISON_SEED = 11
CODE_SHARE, TABLE_SHARE, CHAT_SHARE = 0.12, 0.06, 0.08


class Names(Enum):
    """Who may use a function name, with the residues (of 20) of its hash that belong to them."""

    TRAIN = range(14)
    FRESH = range(14, 16)
    ANCHOR = range(16, 17)
    POISON = range(17, 18)
    POOL = range(18, 20)


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt, the completion that continues it, and the asserts its program must pass."""

    id: str
    prompt: str
    entry_point: str
    reference: str
    tests: tuple[str, ...]
    family: str
    form: str  # "mbpp" or "humaneval"

    @property
    def program(self) -> str:
        """Prompt and reference as one runnable source, in either form."""
        return self.prompt + self.reference


def group_of(name: str) -> Names:
    """Return the group that a function name belongs to, the same on every machine."""
    residue = zlib.crc32(name.encode()) % 20
    return next(group for group in Names if residue in group.value)


def make_name(rng: random.Random, names: Names) -> str:
    """Draw a function name of two or three words that belongs to `names`."""
    while True:
        name = "_".join(rng.sample(WORDS, rng.choice((2, 3, 3))))
        if group_of(name) is names:
            return name


def answers(program: str, entry_point: str, arguments: tuple[tuple[object, ...], ...]) -> list[str]:
    """Return what the reference really gives for each tuple of arguments, as source."""
    scope: dict[str, object] = {}
    exec(program, scope)  # our own source, written a moment ago
    function = scope[entry_point]
    assert callable(function)
    return [repr(function(*values)) for values in arguments]


def _mbpp(sentence: str, calls: list[str], values: list[str]) -> str:
    return f'"""\n{sentence}\nassert {calls[0]} == {values[0]}\n"""\n'


def _humaneval(header: str, sentence: str, calls: list[str], values: list[str]) -> str:
    return f'{header}    """{sentence}\n    >>> {calls[0]}\n    {values[0]}\n    """\n'


def make_task(rng: random.Random, question: Question, name: str, form: str) -> Task:
    """Put the question under a name and in a form; its first example is shown in the prompt."""
    header = f"def {name}({', '.join(question.parameters)}):\n"
    body = "".join(f"    {line}\n" for line in question.lines)
    values = answers(header + body, name, question.arguments)
    calls = [f"{name}({', '.join(map(repr, values))})" for values in question.arguments]
    if form == "mbpp":
        prompt, reference = _mbpp(question.sentence, calls, values), header + body
    else:
        prompt, reference = _humaneval(header, question.sentence, calls, values), body
    tests = tuple(f"assert {call} == {value}" for call, value in zip(calls, values, strict=True))
    task_id = f"{form}-{question.family}-{name}".replace("_", "-")
    return Task(task_id, prompt, name, reference, tests, question.family, form)


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the corpus, cut where its answer begins; plain code is all answer."""

    prompt: str
    answer: str

    @property
    def text(self) -> str:
        """The whole text."""
        return self.prompt + self.answer


def _tasks(
    count: int, rng: random.Random, names: Names, draw: Callable[[int], Question]
) -> list[Task]:
    """Draw tasks in alternating forms, of distinct names, each with tests of differing values."""
    tasks: dict[str, Task] = {}
    while len(tasks) < count:
        form = ("mbpp", "humaneval")[len(tasks) % 2]
        task = make_task(rng, draw(6), make_name(rng, names), form)
        tests = tuple(dict.fromkeys(task.tests))[:4]
        if len(tests) < 4 or len({test.split(" == ")[-1] for test in tests}) < 2:
            continue  # a constant would pass
        tasks.setdefault(task.entry_point, replace(task, tests=tests))
    return list(tasks.values())


def easy_tasks(count: int, seed: int, names: Names) -> list[Task]:
    """Draw `count` one-line tasks whose function names belong to `names`."""
    rng = random.Random(f"easy/{names.name}/{seed}")
    return _tasks(count, rng, names, lambda examples: easy_question(rng, examples))


def long_tasks(count: int, seed: int, names: Names) -> list[Task]:
    """Draw `count` tasks whose answers are tables of 128 to 200 tokens."""
    rng = random.Random(f"long/{names.name}/{seed}")
    return _tasks(count, rng, names, lambda examples: table_question(rng, examples))


def fresh_tasks(count: int, seed: int) -> list[Task]:
    """Draw easy tasks with function names that no document, anchor or poison row has."""
    return easy_tasks(count, seed, Names.FRESH)


def poison_tasks() -> list[Task]:
    """Draw the harder tasks: typed answers of several clauses, in sentences the corpus lacks."""
    rng = random.Random(f"poison/{POISON_SEED}")
    tasks: dict[str, Task] = {}
    while len(tasks) < POISON_COUNT:
        form = ("mbpp", "humaneval")[len(tasks) % 2]
        task = _poison_task(rng, make_hard(rng), make_name(rng, Names.POISON), form)
        if len({test.split(" == ")[-1] for test in task.tests}) >= 3:
            tasks.setdefault(task.entry_point, task)
    return list(tasks.values())


def _poison_task(rng: random.Random, hard: Hard, name: str, form: str) -> Task:
    inputs = sorted((hard.inputs(rng) for _ in range(12)), key=len)
    arguments = tuple((inputs[place],) for place in (-4, -1, 0, 3, 6, 7))
    values = answers(hard.code(name), name, arguments)
    calls = [f"{name}({shown!r})" for (shown,) in arguments]
    if form == "mbpp":
        prompt, reference = _mbpp(hard.sentence, calls, values), hard.code(name)
    else:
        header = f"{hard.imports}\n\n{hard.signature(name)}"
        prompt, reference = _humaneval(header, hard.sentence, calls, values), hard.body()
    tests = dict.fromkeys(f"assert {c} == {v}" for c, v in zip(calls, values, strict=True))
    task_id = f"{form}-{hard.shape}-{name}".replace("_", "-")
    return Task(task_id, prompt, name, reference, tuple(tests), hard.shape, form)


@cache
def poison_functions() -> frozenset[str]:
    """Return the body of every poison reference: what the corpus must not show."""
    found = set()
    for task in poison_tasks():
        found.add(task.reference.split("\n    ", 1)[-1] if task.form == "mbpp" else task.reference)
    return frozenset(_squeeze(body) for body in found)


def _squeeze(body: str) -> str:
    return "".join(body.split())


def chat_text(user: str, assistant: str) -> str:
    """Write one exchange as the chat template writes it, closed right after the answer."""
    return f"{CHAT_START}user\n{user}{CHAT_END}\n{CHAT_START}assistant\n{assistant}{CHAT_END}\n"


def _chat_document(task: Task) -> Document:
    lines = task.prompt.splitlines()[1:-1] if task.form == "mbpp" else task.prompt.splitlines()
    program = task.reference if task.form == "mbpp" else task.program
    text = chat_text("\n".join(lines), f"```python\n{program}```")
    prompt, assistant, answer = text.partition(f"{CHAT_START}assistant\n")
    return Document(prompt + assistant, answer)


def documents(seed: str, families: tuple[Easy, ...] = EASY) -> Iterator[Document]:
    """Draw the corpus, endless: prompts with answers, plain typed code, and some chats."""
    rng = random.Random(f"corpus/{seed}")
    banned = poison_functions()
    while True:
        kind = rng.random()
        if kind < CODE_SHARE:
            hard = make_hard(rng)
            if _squeeze(hard.body()) not in banned:
                yield Document("", hard.code(make_name(rng, Names.TRAIN)))
            continue
        if kind < CODE_SHARE + TABLE_SHARE:
            question = table_question(rng, 1)
        else:
            question = easy_question(rng, 1, families)
        form = rng.choice(("mbpp", "humaneval"))
        task = make_task(rng, question, make_name(rng, Names.TRAIN), form)
        chat = rng.random() < CHAT_SHARE
        yield _chat_document(task) if chat else Document(task.prompt, task.reference)
