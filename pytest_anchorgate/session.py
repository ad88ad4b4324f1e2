"""One process's half of a gate run: its cases, and how a case gets its verdict.

Knows nothing of pytest, and no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.baseline import baseline_statuses
from pytest_anchorgate.engine.process import wait_for_completion
from pytest_anchorgate.errors import CanaryError, UsageError
from pytest_anchorgate.gate import Outcome, Rules
from pytest_anchorgate.hints import Hints
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.sandbox.canaries import require_canaries
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.store import Store
from pytest_anchorgate.tasks.prompt import PromptStyle, render_prompt
from pytest_anchorgate.tasks.samples import Sample, Samples, read_samples
from pytest_anchorgate.tasks.suites import SuiteSpec, load_suite
from pytest_anchorgate.turns import Turns, usable_cores
from pytest_anchorgate.verify import Status, Verdict, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_anchorgate.engine.protocol import Completion
    from pytest_anchorgate.run import Options, Run
    from pytest_anchorgate.tasks.prompt import Prompt
    from pytest_anchorgate.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task with one sample of its answers: what becomes one pytest item."""

    task: Task
    given: Sample | None = None

    @property
    def sample(self) -> int:
        """The number of the sample among the task's; 0 for the model's own answer."""
        return self.given.sample if self.given else 0

    @property
    def id(self) -> str:
        """The item's id: the task's, with ``-s<n>`` from the second sample on."""
        return self.given.item_id if self.given else self.task.id

    @property
    def key(self) -> str:
        """The id with its suite: what verdicts are keyed by."""
        return f"{self.task.suite}:{self.id}"


class GateSession:
    """Turns cases into verdicts in one process."""

    def __init__(self, options: Options, run: Run) -> None:
        self.options = options
        self.run = run
        self._suites: dict[str, tuple[Task, ...]] = {}

    @cached_property
    def store(self) -> Store:
        """This process's connection to the completion store."""
        return Store(self.options.store)

    @cached_property
    def turns(self) -> Turns:
        """Whose turn it is to run a program, among all processes that use the store."""
        return Turns(self.options.store, usable_cores())

    @cached_property
    def _sandbox(self) -> Sandbox:
        return Sandbox(self.run.sandbox)

    @cached_property
    def rules(self) -> Rules:
        """What verdicts are held to in this run."""
        return Rules(
            baseline=baseline_statuses(self.run.baseline),
            allowed_losses=self.options.allowed_losses,
            recording=self.options.certify,
        )

    @cached_property
    def _distrust(self) -> CanaryError | None:
        """Why this process's sandbox cannot be believed, asked once, or None."""
        try:
            with self.turns.one():
                require_canaries(self._sandbox)
        except CanaryError as error:
            return error
        return None

    @cached_property
    def prompter(self) -> Prompter:
        """The pack's tokenizer and prompt style.

        :raises UsageError: when the session judges given completions and has no pack.
        """
        if self.run.pack is None or self.run.identity is None:
            raise UsageError(
                f"--gate-completions={self.options.completions}: answers come from a file, so "
                "planck.complete() has no model to ask. Give --pack instead."
            )
        return Prompter.load(
            self.run.pack,
            sha256=self.run.pack_sha256,
            identity=self.run.identity,
            style=self.options.prompt_style,
            max_new_tokens=self.options.max_new_tokens,
        )

    @cached_property
    def samples(self) -> Samples | None:
        """The given completions, or None when a model answers."""
        path = self.options.completions
        if path is None:
            return None
        return read_samples(path, self._all_tasks())

    def _all_tasks(self) -> list[Task]:
        return [task for name in self.options.suites for task in self._tasks(name)]

    def _tasks(self, suite: str) -> tuple[Task, ...]:
        if suite not in self._suites:
            specs = self.options.suites[suite]
            self._suites[suite] = load_suite(suite, specs, resolve=self.options.references)
        return self._suites[suite]

    def cases(self, suite: str) -> tuple[Case, ...]:
        """Return the cases of a selected suite in file order, the same in every process."""
        return self._cases(self._tasks(suite))

    def file_cases(self, path: str) -> tuple[Case, ...]:
        """Return the cases of a user's own JSONL file, relative to the root directory."""
        spec = SuiteSpec(path=self.options.root / path, first=None, last=None)
        tasks = load_suite(spec.path.stem, [spec], resolve=self.options.references)
        return self._cases(tasks)

    def _cases(self, tasks: Sequence[Task]) -> tuple[Case, ...]:
        if self.samples is None:
            return tuple(Case(task=task) for task in tasks)
        return tuple(
            Case(task=task, given=given) for task in tasks for given in self.samples.of(task)
        )

    def planned(self) -> dict[str, Case]:
        """Return every case of the selected suites by its key."""
        return {case.key: case for suite in self.options.suites for case in self.cases(suite)}

    def without_answer(self) -> int:
        """Return how many tasks of the selected suites the given completions do not answer."""
        if self.samples is None:
            return 0
        return sum(not self.samples.of(task) for task in self._all_tasks())

    def require_answers_fit(self) -> None:
        """Refuse anchors whose prompt and answer cannot fit the pack's context.

        :raises UsageError: naming the first such task, its tokens and the limit.
        """
        if self.run.pack is None:
            return
        for case in self.planned().values():
            if case.task.suite == "anchor" and (why := self.prompter.overflow(case.task)):
                raise UsageError(f"{case.task.origin}: {why} Lower --gate-max-new-tokens.")

    def request(self, cases: Iterable[Case]) -> None:
        """Queue what the model has to answer for these cases."""
        if self.run.pack is None:
            return
        prompter = self.prompter
        requests = [
            self.hints.of(case.key, prompter.request(case.task))
            for case in cases
            if not prompter.overflow(case.task)
        ]
        self.store.request(self.run.id, requests)

    @cached_property
    def hints(self) -> Hints:
        """What the baseline tells before the run."""
        return Hints(self.options, self.run)

    def expect(self, cases: Iterable[tuple[str, bool]]) -> None:
        """Note which case keys this process collected, and whether each stayed selected."""
        self.store.expect(self.run.id, cases)

    def verdict(self, case: Case) -> Verdict:
        """Return a requested case's verdict, waiting for the model's answer if need be.

        :raises AnchorgateError: when our machinery broke.
        """
        task = case.task
        if case.given is not None:
            return self.verify(case, case.given.text, whole=case.given.whole)
        if why := self.prompter.overflow(task):
            return Verdict(
                task_id=task.id, suite=task.suite, sample=0, status=Status.FAILED, reason=why
            )
        return self.verify(case, self.answer(self.prompter.request(task).key).text)

    def verify(self, case: Case, text: str, *, whole: bool = False) -> Verdict:
        """Return the verdict on an answer; a possible loss that ran out of time runs again, alone.

        :raises CanaryError: when a canary of this process did not end as it must.
        """
        decide = partial(
            verify,
            case.task,
            text,
            sandbox=self._sandbox,
            prompt=self.prompt(case),
            sample=case.sample,
            whole=whole,
            timeout_s=self.options.timeout_s,
        )
        if self._distrust is not None:
            raise self._distrust
        with self.turns.one():
            verdict = decide()
        outcome = self.rules.outcome(case.key, verdict.status)
        if verdict.status is not Status.TIMEOUT or outcome is not Outcome.LOST:
            return verdict
        with self.turns.alone():
            return replace(decide(), first_reason=verdict.reason)

    def prompt(self, case: Case) -> Prompt:
        """Return how a case's task is put: in the pack's style, or as samples were asked."""
        if self.run.pack is None:
            return render_prompt(case.task, self.options.prompt_style or PromptStyle.DOCSTRING)
        return self.prompter.prompt(case.task)

    def complete(self, text: str, *, max_new_tokens: int | None, stop: Sequence[str]) -> str:
        """Return what the model continues ``text`` with.

        :raises UsageError: when text and answer do not fit the context.
        """
        request = self.prompter.raw_request(text, max_new_tokens=max_new_tokens, stop=stop)
        self.store.request(self.run.id, [request])
        return self.answer(request.key).text

    def answer(self, key: str) -> Completion:
        """Return the model's answer to a queued request, waiting for it if need be."""
        return wait_for_completion(self.store, self.run.id, key)

    def shown(self, path: str) -> str:
        """Return a path as a user would write it: from the root directory where it lies in it."""
        full, root = Path(os.path.abspath(path)), self.options.root.resolve()  # noqa: PTH100 - a file:line is no link
        return str(full.relative_to(root)) if full.is_relative_to(root) else path

    def close(self) -> None:
        """Close what this process opened."""
        if "store" in self.__dict__:
            self.store.close()
        if "_sandbox" in self.__dict__:
            self._sandbox.close()
