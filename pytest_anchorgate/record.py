"""From a pack and suites to anchors: what it solves, and solves again with the same answer.

Every task is asked as the gate asks it. What was solved is asked a second time, in another order
and in other batches, of a store that holds no answers: an A/A test of engine and verifier. A task
that then ends otherwise would be a false alarm one day, and becomes no anchor.

Knows nothing of pytest, and no torch.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.engine.ask import CommandAgain, ask, groups_again, second_batch_tokens
from pytest_anchorgate.engine.process import ModelCommand
from pytest_anchorgate.errors import PackError, SandboxError, UsageError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.header import unreadable
from pytest_anchorgate.pack.progress import ProgressLine
from pytest_anchorgate.run import open_run, production_fault
from pytest_anchorgate.session import GateSession
from pytest_anchorgate.store import Store
from pytest_anchorgate.tasks.rows import read_lines
from pytest_anchorgate.tasks.sentinels import anchor_row, draw_sentinels
from pytest_anchorgate.tasks.suites import SUITES
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_anchorgate.engine.protocol import Completion, Request
    from pytest_anchorgate.run import Options
    from pytest_anchorgate.session import Case
    from pytest_anchorgate.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one run ended for a task: its verdict, and the answer's tokens."""

    status: Status
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A task that was solved twice with the same answer, and its row, without the line's end."""

    task_id: str
    suite: str
    sentinel: bool
    row: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstable:
    """A task that was solved once, and then not or with another answer."""

    task_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a pack solves: the anchors, in the order of the suites' files, and the unstable."""

    pack: str
    pack_sha256: str
    tasks: int
    anchors: tuple[Anchor, ...]
    unstable: tuple[Unstable, ...]
    batch_tokens: tuple[int, int]  # of the first run and of the second

    @property
    def solved(self) -> int:
        """How many tasks the first run solved."""
        return len(self.anchors) + len(self.unstable)

    @property
    def sentinels(self) -> int:
        """How many of the anchors are sentinels."""
        return sum(anchor.sentinel for anchor in self.anchors)

    @property
    def content(self) -> bytes:
        """The anchors as a task file."""
        return b"".join(anchor.row + b"\n" for anchor in self.anchors)


def record_anchors(options: Options, *, share: float, seed: int) -> Recording:
    """Return the anchors of a pack among the tasks of the selected suites.

    ``share`` of them are sentinels, drawn by `draw_sentinels` with ``seed``, which also orders
    the second run.

    :raises UsageError: when no file supplies a task, or completions are given instead of a pack.
    :raises AnchorgateError: when pack, store, engine or sandbox fail: then nothing is recorded.
    """
    _require_a_pack_and_tasks(options)
    run = open_run(options)
    if (fault := production_fault(options, run)) is not None:
        raise PackError(fault)
    assert run.pack is not None, "no completions are given instead"
    with closing(GateSession(options, run)) as gate:
        cases = _distinct(case for suite in options.suites for case in gate.cases(suite))
        sources = _source_rows(options)
        runs = _Runs(gate)
        solved = runs.first(cases)
        again = runs.second([case for case, _ in solved], seed=seed)
    judged = [
        (case.task, instability(first, second))
        for (case, first), second in zip(solved, again, strict=True)
    ]
    stable = [task for task, why in judged if not why]
    return Recording(
        pack=gate.shown(run.pack),
        pack_sha256=run.pack_sha256,
        tasks=len(cases),
        anchors=_anchors(stable, sources, share=share, seed=seed),
        unstable=tuple(Unstable(task_id=task.id, why=why) for task, why in judged if why),
        batch_tokens=(options.batch_tokens, runs.batch_tokens_again),
    )


def _require_a_pack_and_tasks(options: Options) -> None:
    if options.completions is not None:
        raise UsageError(
            f"gate_completions={options.completions}: answers come from this file, and anchors "
            "are what a pack solves. Take it out of the ini file."
        )
    if not options.suites:
        raise UsageError(
            "-m: no file supplies the rows of a suite that it selects, and a plain anchor needs "
            "no row. Give rows with --gate-anchors FILE, or select mbpp or humaneval."
        )


def _distinct(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return every task once; two suites may have it."""
    found: dict[str, Case] = {}
    for case in cases:
        first = found.setdefault(case.id, case).task
        if first.digest != case.task.digest:
            raise UsageError(
                f"{case.task.origin}: the id {case.id!r} is another task's at {first.origin}, and "
                "an id occurs once among anchors. Rename one, or select one suite."
            )
    return tuple(found.values())


def _source_rows(options: Options) -> dict[str, bytes]:
    """Return the own rows of the selected suites as they stand in their files, by file:line."""
    return {
        line.where: line.text
        for suite, specs in options.suites.items()
        if not SUITES[suite].id_prefix
        for spec in specs
        for line in read_lines(spec.path, option=SUITES[suite].option)
    }


class _Runs:
    """Both runs of one gate session: what is asked, in which batches, and what came of it."""

    def __init__(self, gate: GateSession) -> None:
        self.gate = gate
        self.batch_tokens_again = 0

    def first(self, cases: Sequence[Case]) -> list[tuple[Case, Attempt]]:
        """Ask as the gate does, where what is in its store is not asked again; keep the solved."""
        askable = [case for case in cases if not self.gate.prompter.overflow(case.task)]
        command, requests = self._command(), [self._request(case) for case in askable]
        answers = ask(command, self.gate.store, [requests], label="asking")
        attempts = self._attempts(askable, answers, label="judging")
        both = zip(askable, attempts, strict=True)
        return [(case, found) for case, found in both if found.status is Status.PASSED]

    def second(self, cases: Sequence[Case], *, seed: int) -> list[Attempt]:
        """Ask anew, in another order and in other batches."""
        requests, options = [self._request(case) for case in cases], self.gate.options
        longest = max((len(request.prompt_ids) for request in requests), default=0)
        self.batch_tokens_again = second_batch_tokens(
            options.batch_tokens, row_tokens=longest + options.max_new_tokens
        )
        with tempfile.TemporaryDirectory(prefix="anchorgate-") as directory:
            command = self._command_again(Path(directory))
            with closing(Store(command.store)) as store:
                groups = list(groups_again(requests, seed=seed))
                answers = ask(command, store, groups, label="asking again")
        return self._attempts(cases, answers, label="judging again")

    def _request(self, case: Case) -> Request:
        return self.gate.prompter.request(case.task)

    def _command(self) -> ModelCommand:
        run, options = self.gate.run, self.gate.options
        assert run.pack is not None
        assert run.identity is not None, "a pack is answered for by an engine"
        return ModelCommand(
            pack=Path(run.pack),
            identity=run.identity,
            batch_tokens=options.batch_tokens,
            store=options.store,
            run=run.id,
        )

    def _command_again(self, store: Path) -> ModelCommand:
        first = self._command()
        return CommandAgain(
            pack=first.pack,
            identity=first.identity,
            batch_tokens=self.batch_tokens_again,
            store=store,
            run=f"{first.run}-again",
            logs=first.log.parent,
        )

    def _attempts(
        self, cases: Sequence[Case], answers: Mapping[str, Completion], *, label: str
    ) -> list[Attempt]:
        attempts = []
        with ProgressLine(label) as progress:
            for case in cases:
                answer = answers[self._request(case).key]
                verdict = self.gate.verify(case, answer.text)
                if verdict.status is Status.ERROR:
                    raise SandboxError(f"{case.id}: {verdict.reason}")
                attempts.append(Attempt(status=verdict.status, token_ids=answer.token_ids))
                progress(len(attempts), len(cases))
        return attempts


def instability(first: Attempt, second: Attempt) -> str:
    """Return why a task that was solved at first is no anchor, or nothing."""
    reasons = []
    if second.status is not Status.PASSED:
        reasons.append(f"passed, then {second.status}")
    if first.token_ids != second.token_ids:
        pairs = enumerate(zip(first.token_ids, second.token_ids, strict=False), start=1)
        shorter = min(len(first.token_ids), len(second.token_ids))
        number = next((at for at, (one, other) in pairs if one != other), shorter + 1)
        reasons.append(f"answers differ from token {number} on")
    return "; ".join(reasons)


def _anchors(
    tasks: Sequence[Task], sources: Mapping[str, bytes], *, share: float, seed: int
) -> tuple[Anchor, ...]:
    marked = {task.id for task in tasks if task.sentinel}
    sentinels = draw_sentinels({t.id for t in tasks}, share=share, seed=seed, marked=marked)
    return tuple(
        Anchor(
            task_id=task.id,
            suite=task.suite,
            sentinel=task.id in sentinels,
            row=anchor_row(task, sources, sentinel=task.id in sentinels),
        )
        for task in tasks
    )


def require_place(out: Path) -> None:
    """Refuse a path that no file can have, before hours are spent on what goes there."""
    place = next(parent for parent in out.absolute().parents if parent.exists())
    if out.is_dir() or not place.is_dir() or not os.access(place, os.W_OK):
        why = "is a directory" if out.is_dir() else f"{place} is no directory to write to"
        raise UsageError(f"--out={out}: {why}. Name a file, as in anchors/mine.jsonl.")


def write_anchors(out: Path, recording: Recording) -> bool:
    """Write the anchors, whole or not at all; return whether that changed anything.

    :raises UsageError: when the file holds anything else: a recording never takes anchors away.
    """
    try:
        held = out.read_bytes()
    except FileNotFoundError:
        write_file(out, recording.content, parents=True)
        return True
    except OSError as error:
        raise unreadable(out, error) from None
    if held != recording.content:
        there, here = (set(content.splitlines()) for content in (held, recording.content))
        raise UsageError(
            f"--out={out}: exists, with {len(there - here)} rows that were not recorded now and "
            f"without {len(here - there)} that were. Name a new file; anchors are changed by hand, "
            "which --gate-ratchet judges."
        )
    return False
