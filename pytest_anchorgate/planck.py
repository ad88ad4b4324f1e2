"""What tests see of the gated pack: the ``planck`` fixture's value.

Also turns whatever became of a case into the plain record that travels with pytest's reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import CanaryError, SandboxError
from pytest_anchorgate.session import Case
from pytest_anchorgate.verify import Status, Verdict, render_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.errors import AnchorgateError
    from pytest_anchorgate.pack.format import Pack
    from pytest_anchorgate.session import GateSession
    from pytest_anchorgate.tasks.task import Task


class TaskFailed(AssertionError):
    """The pack did not solve a task; ``text`` is the whole story in pytest's manner."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Planck:
    """The gated pack as tests see it, through the ``planck`` fixture."""

    def __init__(self, gate: GateSession) -> None:
        self.gate = gate
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
        """Get a case's verdict before its test runs; return it as plain JSON."""
        verdict = self.gate.verdict(case)
        self._ready = (case.task, verdict)
        return _record(case.key, verdict)

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
        record = _record(case.key, verdict)
        return record | {"fault": str(error)} if isinstance(error, CanaryError) else record

    def plain(self, key: str, *, status: str, reason: str, seconds: float) -> dict[str, Any]:
        """Return the record of an anchor that is a plain test."""
        suite, _, task_id = key.partition(":")
        verdict = Verdict(
            task_id=task_id,
            suite=suite,
            sample=0,
            status=Status(status),
            reason=reason,
            seconds=seconds,
        )
        return _record(key, verdict)


def _record(key: str, verdict: Verdict) -> dict[str, Any]:
    return {"key": key, **verdict.to_json()}
