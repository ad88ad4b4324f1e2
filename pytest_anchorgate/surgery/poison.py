"""From a gate's JSON report to poison rows: its failures, answered by what solves them.

A row is written as the pack's prompt style asks for it, and only when it passes in the sandbox. An
anchor or a sentinel is never one. Imports torch only where the model answers itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.engine.protocol import answer_text
from pytest_anchorgate.errors import SandboxError, UsageError
from pytest_anchorgate.gate import ANCHOR
from pytest_anchorgate.pack.progress import ProgressLine
from pytest_anchorgate.report.json import SCHEMA
from pytest_anchorgate.surgery.rows import Row, read_poison
from pytest_anchorgate.tasks.prompt import PromptStyle
from pytest_anchorgate.tasks.sentinels import draw_sentinels
from pytest_anchorgate.tasks.suites import load_references, load_suite
from pytest_anchorgate.tasks.syntax import find_definition, parse_source
from pytest_anchorgate.verify import Status, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_anchorgate.prompter import Prompter
    from pytest_anchorgate.sandbox.run import Sandbox
    from pytest_anchorgate.tasks.prompt import Prompt
    from pytest_anchorgate.tasks.spec import SuiteSpec
    from pytest_anchorgate.tasks.task import Task

TEMPERATURE = 0.8  # of the model's own answers
FAILED = (Status.FAILED, Status.TIMEOUT)


class _Baseline(msgspec.Struct):
    status: Status


class _Judged(msgspec.Struct):
    id: str
    suite: str
    status: Status
    task: str  # the task's digest
    sentinel: bool
    baseline: _Baseline | None = None


class _Decoding(msgspec.Struct):
    prompt: PromptStyle


class _Pack(msgspec.Struct):
    sha256: str


class _Report(msgspec.Struct):
    schema: int
    tasks: list[_Judged]
    decoding: _Decoding | None = None
    pack: _Pack | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What a gate's report says that its pack does not solve, and what may be no row.

    ``failed`` and ``anchors`` have task digests by task id. ``pack_sha256`` and ``style`` are None
    where the answers came from a file.
    """

    path: Path
    failed: Mapping[str, str]
    anchors: Mapping[str, str]
    kept: frozenset[str]  # ids of what failed, but not for the baseline
    style: PromptStyle | None
    pack_sha256: str | None

    def why_not(self, row: Row | None, task_id: str) -> str | None:
        """Return why a failure cannot be a row, or None."""
        digest = self.failed[task_id]
        if task_id in self.anchors or digest in self.anchors.values():
            return "an anchor, which the gate judges"
        if task_id in self.kept:
            return "the baseline solves it"
        if row is None:
            return "no file that was given has a reference for it"
        if row.task.digest != digest:
            return f"another task in {row.task.origin.rpartition(':')[0]} than was judged"
        return None


def read_failures(path: Path) -> Failures:
    """Return the failures of a report that ``--gate-json`` wrote.

    A task of several samples has failed when none of them passed.

    :raises UsageError: for a file that is no such report.
    """
    try:
        report = msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.DecodeError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UsageError(f"{path}: no gate's report: {why}. Give what --gate-json wrote.") from None
    if report.schema != SCHEMA:
        raise UsageError(f"{path}: has schema {report.schema}, not {SCHEMA}. Gate the pack again.")
    passed = {one.id for one in report.tasks if one.status is Status.PASSED}
    lost = (one for one in report.tasks if one.baseline and one.baseline.status is Status.PASSED)
    return Failures(
        path=path,
        failed={
            one.id: one.task
            for one in report.tasks
            if one.status in FAILED and one.id not in passed
        },
        anchors={one.id: one.task for one in report.tasks if one.suite == ANCHOR or one.sentinel},
        kept=frozenset(one.id for one in lost),
        style=report.decoding.prompt if report.decoding else None,
        pack_sha256=report.pack.sha256 if report.pack else None,
    )


def read_references(suites: Mapping[str, SuiteSpec], own: Iterable[Path]) -> dict[str, Row]:
    """Return tasks with their reference solutions by task id: published suites', and own rows'."""
    found: dict[str, Row] = {}
    for suite, spec in suites.items():
        references = load_references(spec)
        for task in load_suite(suite, [spec], resolve={}):
            if references.get(task.id, "").strip():
                found[task.id] = Row(task=task, reference=references[task.id])
    for path in own:
        found |= {row.id: row for row in read_poison(path)}
    return found


def choose(
    failures: Failures, references: Mapping[str, Row], anchors: Iterable[Task]
) -> tuple[list[Row], dict[str, str]]:
    """Return the failures that can be rows, in the report's order, and why the others cannot.

    ``anchors`` are those that the report may not have; no two rows ask the same.
    """
    known = {task.prompt: "an anchor, which the gate judges" for task in anchors}
    rows, left_out = [], {}
    for task_id in failures.failed:
        row = references.get(task_id)
        why = failures.why_not(row, task_id) or (row and known.get(row.task.prompt))
        if why:
            left_out[task_id] = why
        elif row is not None:
            known[row.task.prompt] = f"asks what {task_id} asks"
            rows.append(row)
    return rows, left_out


def answer(row: Row, prompt: Prompt) -> str:
    """Return what the model shall write behind a prompt: a completion, a program, or a block.

    It ends where the gate would end it.
    """
    if prompt.continues:
        return _until(prompt.stop, row.reference)
    tree = parse_source(row.reference)
    whole = tree is not None and find_definition(tree, row.task.entry_point) is not None
    program = row.reference if whole else row.task.prompt + row.reference
    if prompt.style is PromptStyle.CHAT:
        return f"```python\n{program.rstrip()}\n```"
    return program


def _until(stop: Iterable[str], text: str) -> str:
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]


def verified(
    rows: Sequence[Row],
    prompt: Callable[[Task], Prompt],
    *,
    own: Mapping[str, str],
    sandbox: Sandbox,
) -> Iterator[tuple[Row, str]]:
    """Yield each row with its answer as its reference, and why it cannot be one, or ``""``.

    ``own`` are answers by task id that have passed already.

    :raises SandboxError: when our own machinery broke.
    """
    with ProgressLine("verifying references") as show:
        for done, row in enumerate(rows, 1):
            if row.id in own:
                yield replace(row, reference=own[row.id]), ""
                continue
            asked = prompt(row.task)
            given = replace(row, reference=answer(row, asked))
            fault = _fault(given.task, given.reference, asked, sandbox)
            yield given, f"its reference does not pass: {fault}" if fault else ""
            show(done, len(rows))


def _fault(task: Task, text: str, prompt: Prompt, sandbox: Sandbox) -> str:
    verdict = verify(task, text, sandbox=sandbox, prompt=prompt)
    if verdict.status is Status.ERROR:
        raise SandboxError(f"{task.id}: {verdict.reason}")
    return verdict.reason


def too_long(row: Row, prompter: Prompter) -> str:
    """Return why a row does not fit the pack's context, or ``""``."""
    answered = prompter.tokenizer.encode(row.reference, add_special_tokens=False).ids
    tokens = len(prompter.request(row.task).prompt_ids) + len(answered) + 1  # its end
    if tokens <= prompter.pack.context:
        return ""
    return f"it has {tokens} tokens, and the pack's context {prompter.pack.context}"


def own_answers(
    rows: Sequence[Row], prompter: Prompter, *, count: int, seed: int, sandbox: Sandbox
) -> dict[str, str]:
    """Return the model's first own answer of ``count`` that passes, by task id.

    One that does not come to an end is none.
    """
    from pytest_anchorgate.engine.transformers import TransformersEngine
    from pytest_anchorgate.surgery.sample import sample

    identity, found = prompter.identity, dict[str, str]()
    engine = TransformersEngine(prompter.pack, device=identity.device, dtype=identity.dtype)
    asked = [row for row in rows if not prompter.overflow(row.task) for _ in range(count)]
    stop = prompter.prompt(asked[0].task).stop if asked else ()
    drawn = sample(
        engine, [prompter.request(row.task).prompt_ids for row in asked], seed=seed,
        temperature=TEMPERATURE, max_new_tokens=prompter.max_new_tokens,
        enough=lambda text: any(sequence in text for sequence in stop),
    )  # fmt: skip
    with ProgressLine("sampling answers") as show:
        for done, (row, ids) in enumerate(zip(asked, drawn, strict=True), 1):
            text = answer_text(engine.tokenizer.decode, ids, eos_ids=engine.eos_ids, stop=stop)
            ended = ids[-1] in engine.eos_ids or text != engine.tokenizer.decode(ids)
            asks = prompter.prompt(row.task)
            if ended and row.id not in found and not _fault(row.task, text, asks, sandbox):
                found[row.id] = text
            show(done, len(asked))
    return found


def parted(rows: Sequence[Row], *, share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on, and the share that stays unseen; drawn as sentinels are."""
    unseen = draw_sentinels([row.id for row in rows], share=share, seed=seed)
    return (
        [row for row in rows if row.id not in unseen],
        [row for row in rows if row.id in unseen],
    )


def render_rows(rows: Iterable[Row]) -> bytes:
    """Return rows as the JSON lines that `read_poison` reads."""
    return b"".join(msgspec.json.encode(_plain(row)) + b"\n" for row in rows)


def _plain(row: Row) -> dict[str, object]:
    task = row.task
    words = {name: text for name, text in (("text", task.text), ("setup", task.setup)) if text}
    return {
        "id": task.id,
        "prompt": task.prompt,
        **words,
        "entry_point": task.entry_point,
        "tests": task.tests,
        "reference": row.reference,
    }
