"""The judging half of a gate run: it exists once, gathers verdicts and decides at the end.

Knows nothing of pytest; ``plugin`` hands it what reports carry.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.engine.process import ModelCommand, ModelProcess
from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.gate import Decision, Ruling, exit_status, judge
from pytest_anchorgate.report.gated import GateReport, PackReport
from pytest_anchorgate.report.json import write_json
from pytest_anchorgate.report.terminal import render_lines
from pytest_anchorgate.run import production_fault
from pytest_anchorgate.store import ModelState, ModelStatus, Traffic
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_anchorgate.session import GateSession

PROGRESS_AFTER_S = 2.0
PROGRESS_EVERY_S = 5.0


class Terminal:
    """The standard output that the session began with: its lines are never captured.

    While a test waits for its answer, pytest captures what is written, and a line on progress
    would be shown only after a failure.
    """

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.dup(sys.stdout.fileno())
        except (OSError, ValueError):  # an embedding that has no such file: say nothing
            self._fd = None

    def say(self, line: str) -> None:
        """Write one line; pytest may be in the middle of its own."""
        if self._fd is not None:
            os.write(self._fd, f"\n{line}\n".encode())

    def close(self) -> None:
        """Give the descriptor back; safe to call twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


@dataclass(slots=True)
class Progress:
    """Says how far generation is, at most every few seconds and only when it takes long."""

    say: Callable[[str], None]
    began: float = 0.0
    said: float = 0.0

    def __call__(self, answered: int, total: int) -> None:
        """Note that ``answered`` of ``total`` requests are done."""
        now = time.monotonic()
        if not self.began:
            self.began = self.said = now
        if answered == total or now - self.began < PROGRESS_AFTER_S:
            return
        if now - self.said >= PROGRESS_EVERY_S or self.said == self.began:
            self.said = now
            self.say(f"anchorgate: {answered} of {total} completions, {now - self.began:.0f} s")


class Controller:
    """One gate run from its start to its decision."""

    def __init__(self, gate: GateSession) -> None:
        self.gate = gate
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []
        self._report: GateReport | None = None
        self._begun = False
        self._terminal = Terminal()
        self._began = time.perf_counter()
        self._model: ModelProcess | None = None

    @property
    def title(self) -> str:
        """What is gated, in one line."""
        run = self.gate.run
        if run.pack is None:
            return f"completions from {self.gate.options.completions}"
        return f"{_shown(self.gate, run.pack)}, sha256 {run.pack_sha256[:16]}"

    def start(self) -> str | None:
        """Open the run's queue and watch it; the model starts with the first open request.

        Return why the pack cannot be trusted, if it cannot: then nothing was started.

        :raises AnchorgateError: when the store cannot be used or anchors do not fit the context.
        """
        gate = self.gate
        fault = production_fault(gate.options, gate.run)
        if fault is not None:
            return fault
        gate.require_answers_fit()
        gate.store.begin(gate.run.id)
        self._begun = True
        if gate.run.pack is None or gate.run.identity is None:
            return None
        command = ModelCommand(
            pack=Path(gate.run.pack),
            identity=gate.run.identity,
            batch_tokens=gate.options.batch_tokens,
            store=gate.options.store,
            run=gate.run.id,
        )
        self._model = ModelProcess(command, progress=Progress(self._terminal.say))
        self._model.start()
        return None

    def record(self, verdict: Mapping[str, Any]) -> None:
        """Take one item's verdict; the last one of a repeated item counts.

        A ``fault`` beside it says that nothing of its process can be believed.
        """
        kept = dict(verdict)
        fault = kept.pop("fault", None)
        if fault is not None and fault not in self.faults:
            self.faults.append(fault)
        self.verdicts[verdict["key"]] = kept

    def close(self) -> None:
        """End what this run started; safe to call twice."""
        self.stop()
        self._terminal.close()
        self.gate.close()

    def stop(self) -> None:
        """End the model's process; safe to call twice."""
        if self._model is not None:
            self._model.stop()
            self._model = None

    def finish(self, fault: str | None = None) -> GateReport:
        """Decide, write the JSON report, and forget the run's queue; once is enough."""
        if self._report is not None:
            return self._report
        if fault is not None:
            self.faults.append(fault)
        status, traffic, expected = self._store_facts()
        self.stop()
        cases = self.gate.planned()
        planned = cases.keys() | expected.keys()
        ruling = self._ruling(planned, {key for key, kept in expected.items() if kept}, status)
        samples = self.gate.samples
        self._report = GateReport(
            ruling=ruling,
            pack=self._pack(),
            verdicts=tuple(self._in_order([*cases, *sorted(planned - cases.keys())])),
            traffic=traffic,
            load_s=status.stats.get("load_s", 0.0) if status else 0.0,
            generate_s=status.stats.get("generate_s", 0.0) if status else 0.0,
            total_s=time.perf_counter() - self._began,
            sandbox=self.gate.run.sandbox,
            without_answer=self.gate.without_answer(),
            unknown_answers=samples.unknown if samples else (),
            log=self._log(),
        )
        self._write(self._report)
        return self._report

    def exit_status(self, pytest_status: int) -> int:
        """Return the session's exit status; pytest's own is 2 only when a user interrupted it."""
        return exit_status(self.finish().ruling.decision, pytest_status)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the terminal section's lines with their colours."""
        return render_lines(self.finish())

    def _pack(self) -> PackReport | None:
        run = self.gate.run
        if run.pack is None or run.identity is None:
            return None
        return PackReport(
            path=_shown(self.gate, run.pack),
            sha256=run.pack_sha256,
            engine=run.identity.to_json(),
        )

    def _store_facts(self) -> tuple[ModelStatus | None, Traffic, dict[str, bool]]:
        run = self.gate.run.id
        none = Traffic(generated=0, generated_tokens=0, reused=0, reused_tokens=0)
        if not self._begun:
            return None, none, {}
        try:
            store = self.gate.store
            facts = store.status(run), store.traffic(run), store.expected(run)
            store.forget(run)
        except AnchorgateError as error:
            self.faults.append(str(error))
            return None, none, {}
        return facts

    def _ruling(self, planned: set[str], selected: set[str], status: ModelStatus | None) -> Ruling:
        statuses = {key: Status(verdict["status"]) for key, verdict in self.verdicts.items()}
        decide = partial(
            judge,
            statuses,
            planned=planned,
            selected=selected,
            narrowed=self.gate.options.narrowed,
            whole=self.gate.options.whole,
        )
        ruling = decide(faults=self.faults)
        if status is None or status.state is not ModelState.DEAD:
            return ruling
        if ruling.decision is Decision.REFUSED:  # a confirmed loss stands without the rest
            return ruling
        return decide(faults=[*self.faults, status.note])

    def _in_order(self, keys: list[str]) -> list[dict[str, Any]]:
        return [self.verdicts[key] for key in keys if key in self.verdicts]

    def _log(self) -> Path | None:
        log = self.gate.options.store / "logs" / f"{self.gate.run.id}.log"
        return log if log.exists() else None

    def _write(self, report: GateReport) -> None:
        if self.gate.options.json is None:
            return
        try:
            write_json(report, self.gate.options.json)
        except AnchorgateError as error:
            self._terminal.say(f"anchorgate: {error}")


def _shown(gate: GateSession, path: str) -> str:
    """Return a path as a user would write it: from the root directory where it lies in it."""
    full = Path(path).resolve()
    root = gate.options.root.resolve()
    return str(full.relative_to(root)) if full.is_relative_to(root) else path
