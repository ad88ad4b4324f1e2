"""What tests see of the gated pack: the ``planck`` fixture's value.

Also turns whatever became of a case into the plain record that travels with pytest's reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.engine.protocol import ids_digest
from pytest_anchorgate.errors import CanaryError, SandboxError
from pytest_anchorgate.gate import Outcome, suite_of
from pytest_anchorgate.redecide import Redecision, undecidable, undecidable_plain
from pytest_anchorgate.run import Redecide
from pytest_anchorgate.session import Case
from pytest_anchorgate.verify import Status, Verdict, render_failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_anchorgate.errors import AnchorgateError
    from pytest_anchorgate.pack.format import Pack
    from pytest_anchorgate.session import GateSession
    from pytest_anchorgate.tasks.task import Task


# What the record of a case that no model was asked for has.
UNASKED: Mapping[str, Any] = {"prompt_ids": None, "request": None, "sentinel": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTest:
    """An anchor that is a test function: its case key, its source's digest and place."""

    key: str
    digest: str
    origin: str


class TaskFailed(AssertionError):
    """The pack did not solve a task; ``text`` is the whole story in pytest's manner."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Planck:
    """The gated pack as tests see it, through the ``planck`` fixture."""

    def __init__(self, gate: GateSession) -> None:
        self.gate = gate
        self._redecision = Redecision(gate)
        self._ready: tuple[Task, Verdict] | None = None

    @property
    def pack(self) -> Pack:
        """The pack's header: its configuration, tokenizer files and provenance."""
        return self.gate.prompter.pack

    def complete(
        self, prompt: str, *, max_new_tokens: int | None = None, stop: Sequence[str] = ()
    ) -> str:
        """Return what the model continues ``prompt`` with, greedily, up to EOS or ``stop``.

        :raises UsageError: when prompt and answer do not fit the context.
        :raises EngineError: when the model's process died.
        """
        return self.gate.complete(prompt, max_new_tokens=max_new_tokens, stop=stop)

    def verify(self, task: Task) -> Verdict:
        """Return the passing verdict on the model's answer to ``task``.

        :raises TaskFailed: when the answer does not pass the task's tests.
        :raises AnchorgateError: when our machinery broke.
        """
        __tracebackhide__ = True
        verdict = self._verdict(task)
        if verdict.status is Status.ERROR:
            raise SandboxError(f"{task.id}: {verdict.reason}")
        if verdict.status is not Status.PASSED:
            raise TaskFailed(render_failure(verdict, task))
        return verdict

    def _verdict(self, task: Task) -> Verdict:
        if self._ready is not None and self._ready[0] is task:
            return self._ready[1]
        case = Case(task=task)
        self.gate.request([case])
        return self.gate.verdict(case)

    def prepare(self, case: Case) -> dict[str, Any]:
        """Get a case's verdict before its test runs; return its record.

        A loss that the baseline's own machinery cannot have caused counts at once; any other
        is decided again, and a record says what the baseline's verdict is today.
        """
        verdict = self.gate.verdict(case)
        self._ready = (case.task, verdict)
        record = self._record(case, verdict)
        if not self._redecision.needed(case.key, verdict.status):
            return record
        today = self._redecision.today(case)
        if today is None or today is Status.ERROR:
            baseline = self.gate.run.baseline
            assert baseline is not None, "a loss has a baseline"
            return record | {"fault": undecidable(case.key, baseline.sha256)}
        return record | {"baseline_today": today.value}

    def _record(self, case: Case, verdict: Verdict) -> dict[str, Any]:
        """Return what travels with a report: the verdict, and what it was about."""
        task, asked = case.task, None
        if case.given is None and not self.gate.prompter.overflow(task):
            asked = self.gate.prompter.request(task)
        return {
            "key": case.key,
            **verdict.to_json(),
            "task": task.digest,
            "prompt_ids": ids_digest(asked.prompt_ids) if asked else None,
            "request": asked.key if asked else None,
            "sentinel": task.sentinel,
            "origin": self.gate.shown(task.origin),
        }

    def expected_failure(self, record: Mapping[str, Any]) -> str | None:
        """Return why a case's failure, or its unhoped-for pass, refuses nothing; else None."""
        rules = self.gate.rules.today(record)
        outcome = rules.outcome(record["key"], Status(record["status"]))
        if outcome is Outcome.KNOWN:
            return "known failure"
        if outcome is Outcome.GAINED:
            return "known failure of the baseline"
        if outcome is Outcome.LOST and not rules.refuses(record["key"], outcome):
            allowed = rules.allowed(suite_of(record["key"]))
            return "lost (report-only)" if allowed is None else f"lost ({allowed} may be)"
        return None

    def broken(self, case: Case, error: AnchorgateError) -> dict[str, Any]:
        """Return the record of a case whose verdict our machinery failed to give."""
        task = case.task
        verdict = Verdict(
            task_id=task.id,
            suite=task.suite,
            sample=case.sample,
            status=Status.ERROR,
            reason=str(error),
        )
        record = {"key": case.key, **verdict.to_json(), **UNASKED}
        record |= {"task": task.digest, "sentinel": task.sentinel}
        record["origin"] = self.gate.shown(task.origin)
        return record | {"fault": str(error)} if isinstance(error, CanaryError) else record

    def plain(self, test: PlainTest, *, status: Status, reason: str, seconds: float) -> Any:
        """Return the record of an anchor that is a plain test."""
        suite, _, task_id = test.key.partition(":")
        verdict = Verdict(
            task_id=task_id, suite=suite, sample=0, status=status, reason=reason, seconds=seconds
        )
        record = {"key": test.key, **verdict.to_json(), **UNASKED}
        record |= {"task": test.digest, "origin": test.origin}
        baseline = self.gate.run.baseline
        if baseline is None or not self._redecision.needed(test.key, status):
            return record
        if baseline.redecide == Redecide.VERIFY:  # no program was judged
            return record
        return record | {"fault": undecidable_plain(test.key)}
