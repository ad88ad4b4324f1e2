"""The judging half of a gate run: it exists once, gathers verdicts and decides at the end.

Knows nothing of pytest; ``plugin`` hands it what reports carry.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.baseline import (
    Baseline,
    changed_lines,
    changed_tasks,
    find_baseline,
    run_baseline,
)
from pytest_anchorgate.breaches import Breaches, find_breaches
from pytest_anchorgate.certify import certify, contradictions
from pytest_anchorgate.engine.process import ModelCommand, ModelProcess
from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.gate import Ruling, exit_status
from pytest_anchorgate.history import record_attempt
from pytest_anchorgate.progress import Progress, Terminal
from pytest_anchorgate.redecide import baseline_run
from pytest_anchorgate.report.gated import BaselineReport, GateReport, Seconds
from pytest_anchorgate.report.suites import suite_reports
from pytest_anchorgate.report.terminal import render_lines
from pytest_anchorgate.reporting import Rows, baseline_report, pack_report, rerun_command
from pytest_anchorgate.ruling import rule
from pytest_anchorgate.run import open_run, production_fault
from pytest_anchorgate.store import ModelState, ModelStatus, Traffic
from pytest_anchorgate.surgery.promote import recover
from pytest_anchorgate.writing import workflow_commands, write_reports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_anchorgate.operation import Operation
    from pytest_anchorgate.report.gated import Row
    from pytest_anchorgate.session import GateSession

NO_TRAFFIC = Traffic(generated=0, generated_tokens=0, reused=0, reused_tokens=0)


class Controller:
    """One gate run from its start to its decision."""

    def __init__(self, gate: GateSession, operation: Operation | None = None) -> None:
        self.gate = gate
        self.operation = operation
        self.records: dict[str, dict[str, Any]] = {}
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.problems: list[str] = []  # what was asked for beside a decision and could not be done
        self.baseline = Baseline(certificate=None, where="none: the run ended before it was read")
        self.breaches = Breaches(waived=frozenset(), lines=())
        self._undone = False  # whether what was asked for beside a decision failed
        self._report: GateReport | None = None
        self._begun = False
        self._terminal = Terminal()
        self._began = time.perf_counter()
        self._models: list[ModelProcess] = []

    @property
    def title(self) -> str:
        """What is gated, in one line."""
        run = self.gate.run
        if run.pack is None:
            return f"completions from {self.gate.options.completions}"
        return f"{self.gate.shown(run.pack)}, sha256 {run.pack_sha256[:16]}"

    def make(self, instead: Any) -> None:
        """Make the candidate of a surgery, if the session is one.

        ``instead`` is the hook by which a user's plugin may make it.

        :raises AnchorgateError: when there is none.
        """
        if self.operation is None:
            return
        pack = self.operation.make(self.gate, instead, self._terminal.write)
        self.notes += self.operation.told()
        self.gate.options = replace(self.gate.options, pack=str(pack))
        self.gate.run = open_run(self.gate.options)
        self._began = time.perf_counter()  # of the gate

    def start(self) -> str | None:
        """Open the run's queue and watch it; the model starts with the first open request.

        Return why nothing can be trusted, if so: then nothing was started.

        :raises AnchorgateError: when the store cannot be used, a baseline or waiver cannot be
            read, or anchors do not fit the context.
        """
        gate = self.gate
        recover(gate.options.packs, say=self.notes.append)
        fault = production_fault(gate.options, gate.run) or self._hold_to_baseline()
        if fault is not None:
            return fault
        gate.require_answers_fit()
        gate.store.begin(gate.run.id)
        self._begun = True
        if gate.run.pack is not None:
            self._watch(gate.run.id, gate.run.pack)
        baseline = gate.run.baseline
        if baseline is not None and baseline.pack is not None:
            gate.store.begin(baseline_run(gate.run.id))
            self._watch(baseline_run(gate.run.id), baseline.pack)
        return None

    def _hold_to_baseline(self) -> str | None:
        """Find what verdicts are held against; return why it is not about today's tasks."""
        gate = self.gate
        self.breaches = find_breaches(gate)
        self.baseline = find_baseline(gate.options)
        certificate = self.baseline.certificate
        if certificate is None:
            return None
        waived = self.breaches.waived
        gate.run = replace(gate.run, baseline=run_baseline(gate, certificate, waived))
        first, *more = changed_lines(
            changed_tasks(gate, certificate), self.baseline.where, waived
        ) or ("",)
        self.faults += more
        return first or None

    def _watch(self, run: str, pack: str) -> None:
        """Start to watch a queue for a pack."""
        gate = self.gate
        assert gate.run.identity is not None, "a pack is answered for by an engine"
        command = ModelCommand(
            pack=Path(pack),
            identity=gate.run.identity,
            batch_tokens=gate.options.batch_tokens,
            store=gate.options.store,
            run=run,
        )
        model = ModelProcess(command, progress=Progress(self._terminal.say))
        model.start()
        self._models.append(model)

    def record(self, record: Mapping[str, Any], nodeid: str) -> None:
        """Take one item's record; the last one of a repeated item counts.

        A ``fault`` in it says that its verdict, or its process, cannot be believed.
        """
        fault = record.get("fault")
        if fault is not None and fault not in self.faults:
            self.faults.append(fault)
        self.records[record["key"]] = {**record, "nodeid": nodeid}

    def close(self) -> None:
        """End what this run started; safe to call twice."""
        self.stop()
        self._terminal.close()
        self.gate.close()

    def stop(self) -> None:
        """End the models' processes; safe to call twice."""
        while self._models:
            self._models.pop().stop()

    def finish(self, fault: str | None = None, *, markexpr: str = "") -> GateReport:
        """Decide, write what was asked for, and forget the run's queue; once is enough."""
        if self._report is not None:
            return self._report
        if fault is not None:
            self.faults.insert(0, fault)
        status, traffic, expected = self._store_facts()
        self.stop()
        rows = self._rows(expected)
        ruling = self._ruling(rows, expected, status)
        self._certify(rows, ruling)
        samples = self.gate.samples
        self._report = GateReport(
            ruling=ruling,
            title=self.title,
            pack=pack_report(self.gate) if self._begun else None,
            baseline=self._baseline_report(),
            rows=rows,
            suites=suite_reports(rows),
            traffic=traffic,
            seconds=self._seconds(rows, status),
            sandbox=self.gate.run.sandbox,
            without_answer=self.gate.without_answer(),
            unknown_answers=samples.unknown if samples else (),
            history=self._history(rows, ruling),
            rerun=rerun_command(self.gate, rows, markexpr),
            notes=tuple(self.notes),
            log=self._log(),
        )
        self.problems += write_reports(self._report, self.gate.options)
        return self._report

    def exit_status(self, pytest_status: int) -> int:
        """Return the session's exit status; pytest's own is 2 only when a user interrupted it."""
        status = exit_status(self.finish().ruling.decision, pytest_status)
        return 1 if status == 0 and self._undone else status

    def properties(self) -> Iterator[tuple[str, str]]:
        """Yield what ``--junitxml`` says of the whole session."""
        report = self.finish()
        yield "decision", report.ruling.decision.value
        yield "reasons", "; ".join(report.ruling.reasons)
        yield "pack_sha256", self.gate.run.pack_sha256
        yield "baseline", report.baseline.where
        yield "sandbox", report.sandbox

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the terminal section's lines with their colours."""
        yield from render_lines(self.finish())
        yield from ((f"anchorgate: {problem}", "red") for problem in self.problems)
        yield from ((line, "") for line in workflow_commands(self.finish()))

    def _baseline_report(self) -> BaselineReport:
        if not self._begun:
            return BaselineReport(where=self.baseline.where)
        return baseline_report(self.gate, self.baseline)

    def _store_facts(self) -> tuple[ModelStatus | None, Traffic, dict[str, bool]]:
        run = self.gate.run.id
        if not self._begun:
            return None, NO_TRAFFIC, {}
        try:
            store = self.gate.store
            facts = store.status(run), store.traffic(run), store.expected(run)
            store.forget(run)
            store.forget(baseline_run(run))
        except AnchorgateError as error:
            self.faults.append(str(error))
            return None, NO_TRAFFIC, {}
        return facts

    def _rows(self, expected: Mapping[str, bool]) -> tuple[Row, ...]:
        """Return the rows in suite order, then what no suite file holds."""
        if not self._begun:
            return ()
        cases = self.gate.planned()
        others = sorted((expected.keys() | self.records.keys()) - cases.keys())
        keys = [key for key in [*cases, *others] if key in self.records]
        try:
            return Rows(self.gate, self.baseline).make([self.records[key] for key in keys])
        except AnchorgateError as error:
            self.faults.append(str(error))
            return ()

    def _ruling(
        self, rows: tuple[Row, ...], expected: Mapping[str, bool], status: ModelStatus | None
    ) -> Ruling:
        """Decide; what contradicts the pack's own certificate is a fault."""
        faults = list(self.faults)
        try:
            faults += contradictions(self.gate, rows) if self._begun else ()
        except AnchorgateError as error:
            faults.append(str(error))
        dead = status.note if status and status.state is ModelState.DEAD else None
        return rule(
            self.gate, self.records, expected, faults=faults, breaches=self.breaches, dead=dead
        )

    def _certify(self, rows: tuple[Row, ...], ruling: Ruling) -> None:
        if not self.gate.options.certify:
            return
        try:
            path = certify(self.gate, rows, ruling)
        except AnchorgateError as error:
            self.problems.append(str(error))
            self._undone = True
        else:
            self.notes.append(f"certificate written to {self.gate.shown(str(path))}")

    def _history(self, rows: tuple[Row, ...], ruling: Ruling) -> tuple[Any, ...]:
        try:
            if self.operation is not None:
                self.operation.conclude(self.gate, rows, ruling)
            return record_attempt(self.gate, rows, ruling)
        except AnchorgateError as error:
            self.problems.append(str(error))
            self._undone |= self.operation is not None
            return ()
        finally:
            self.notes += self.operation.told() if self.operation else ()

    def _seconds(self, rows: tuple[Row, ...], status: ModelStatus | None) -> Seconds:
        stats = status.stats if status else {}
        return Seconds(
            load=stats.get("load_s", 0.0),
            generate=stats.get("generate_s", 0.0),
            verify=sum(float(row.verdict["seconds"]) for row in rows),
            total=time.perf_counter() - self._began,
        )

    def _log(self) -> str:
        log = self.gate.options.store / "logs" / f"{self.gate.run.id}.log"
        return self.gate.shown(str(log)) if log.exists() else ""
