"""A loss under another engine or verifier than the baseline's, decided again before it counts.

What changed may be the machinery and not the pack: the baseline is asked once more, today.
Knows nothing of pytest.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_anchorgate.baseline import find_baseline
from pytest_anchorgate.engine.process import wait_for_completion
from pytest_anchorgate.gate import Outcome
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.run import Redecide

if TYPE_CHECKING:
    from pytest_anchorgate.run import RunBaseline
    from pytest_anchorgate.session import Case, GateSession
    from pytest_anchorgate.verify import Status


def baseline_run(run_id: str) -> str:
    """Return the run under which the baseline's pack is asked beside the candidate."""
    return f"{run_id}-baseline"


class Redecision:
    """Confirms losses in one process."""

    def __init__(self, gate: GateSession) -> None:
        self.gate = gate

    def needed(self, key: str, status: Status) -> bool:
        """Whether a verdict is a loss that today's machinery has to confirm."""
        baseline = self.gate.run.baseline
        if baseline is None or baseline.redecide == Redecide.NOT or key not in baseline.statuses:
            return False
        return self.gate.rules.outcome(key, status) is Outcome.LOST

    def today(self, case: Case) -> Status | None:
        """Return what the baseline's verdict is today, or None where nobody can tell.

        :raises AnchorgateError: when our machinery broke.
        """
        baseline = self.gate.run.baseline
        assert baseline is not None, "needed() says whether there is a baseline"
        if baseline.redecide == Redecide.VERIFY:
            return self.gate.verify(case, self._certified[case.key]).status
        if baseline.redecide == Redecide.GENERATE:
            return self.gate.verify(case, self._generated(case, baseline)).status
        return None

    @cached_property
    def _certified(self) -> dict[str, str]:
        """The baseline's own answers by case key."""
        certificate = find_baseline(self.gate.options).certificate
        assert certificate is not None, "the run has a baseline"
        return {task.key: task.completion for task in certificate.tasks}

    def _generated(self, case: Case, baseline: RunBaseline) -> str:
        run, request = baseline_run(self.gate.run.id), self._prompter.request(case.task)
        self.gate.store.request(run, [self.gate.hints.drafted(request)])
        return wait_for_completion(self.gate.store, run, request.key).text

    @cached_property
    def _prompter(self) -> Prompter:
        """How the baseline's pack is asked today."""
        run, options = self.gate.run, self.gate.options
        assert run.baseline is not None
        assert run.baseline.pack is not None
        assert run.identity is not None, "without an engine there is nothing to generate with"
        return Prompter.load(
            run.baseline.pack,
            sha256=run.baseline.sha256,
            identity=run.identity,
            style=options.prompt_style,
            max_new_tokens=options.max_new_tokens,
        )


def undecidable(key: str, sha256: str) -> str:
    """Return why a loss counts neither as one nor as none."""
    return (
        f"{key}: was lost, but the baseline was certified under another engine and its pack "
        f"(sha256 {sha256[:12]}...) is not in packs/ to be asked again. Bring the pack, or certify "
        "production again on this engine."
    )


def undecidable_plain(key: str) -> str:
    """Return why a plain test's loss counts neither as one nor as none."""
    return (
        f"{key}: failed, but the baseline was certified under another engine, and a plain test is "
        "not run on two packs. Certify production again on this engine."
    )
