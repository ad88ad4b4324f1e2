"""From a run's records to the rows that its reports show. Knows nothing of pytest."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.baseline import Baseline, decoding, differences
from pytest_anchorgate.gate import Outcome
from pytest_anchorgate.pack.provenance import trained_on
from pytest_anchorgate.report.gated import BaselineReport, Divergence, PackReport, Row
from pytest_anchorgate.run import Redecide
from pytest_anchorgate.tasks.extract import extract
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_anchorgate.certificate import CertifiedTask
    from pytest_anchorgate.engine.protocol import Completion
    from pytest_anchorgate.session import Case, GateSession

NAMED_IN_COMMAND = 4  # so many lost items are named; with more, --lf finds them
REDECIDED = {
    Redecide.NOT: "",
    Redecide.VERIFY: "the baseline's own answers were judged again",
    Redecide.GENERATE: "the baseline's pack was asked again",
    Redecide.IMPOSSIBLE: "the baseline's pack is not here, so a loss could not be confirmed",
}


class Rows:
    """Makes a run's rows: verdicts with the baseline's beside them."""

    def __init__(self, gate: GateSession, baseline: Baseline) -> None:
        self.gate = gate
        self.cases = gate.planned()
        certificate = baseline.certificate
        self.certified = certificate.by_key() if certificate else {}
        self.trained = frozenset(trained_on(gate.prompter.pack)) if gate.run.pack else frozenset()

    def make(self, records: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
        """Return a row for each record, in the same order.

        :raises StoreError: when the completions cannot be read.
        """
        return tuple(self._row(record) for record in records)

    def _row(self, record: Mapping[str, Any]) -> Row:
        key, request = record["key"], record["request"]
        rules = self.gate.rules.today(record)
        outcome = rules.outcome(key, Status(record["status"]))
        answer = self.gate.store.completion(request) if request else None
        before = self.certified.get(key)
        if self.gate.run.baseline is None or key not in self.gate.run.baseline.statuses:
            before = None
        return Row(
            key=key,
            verdict={name: value for name, value in record.items() if name not in HIDDEN},
            outcome=outcome,
            refuses=rules.refuses(key, outcome),
            trained_on=record["task_id"] in self.trained,
            token_ids=answer.token_ids if answer else (),
            margin=answer.margin if answer else None,
            before=before,
            before_program=self._before_program(before, record),
            divergence=self._divergence(before, record, answer),
        )

    def _before_program(self, before: CertifiedTask | None, record: Mapping[str, Any]) -> str:
        """Return the program that the baseline's answer makes; nothing for a plain test."""
        if before is None or not before.completion:
            return ""
        if before.completion == record["completion"]:
            return str(record["program"])
        case = self.cases.get(before.key)
        return self._extracted(case, before.completion) if case else before.completion

    def _extracted(self, case: Case, completion: str) -> str:
        return extract(self.gate.prompt(case), completion, case.task).program

    def _divergence(
        self, before: CertifiedTask | None, record: Mapping[str, Any], answer: Completion | None
    ) -> Divergence | None:
        """Return where two answers part; their packs must share a tokenizer for it to mean much."""
        if before is None or answer is None or before.prompt_ids != record["prompt_ids"]:
            return None
        pairs = enumerate(zip(before.token_ids, answer.token_ids, strict=False))
        shorter = min(len(before.token_ids), len(answer.token_ids))
        position = next((at for at, (one, other) in pairs if one != other), shorter)
        if before.token_ids == answer.token_ids:
            return None
        parting = answer.parting
        told = parting is not None and parting.position == position
        return Divergence(
            position=position,
            before=self._token(before.token_ids, position),
            now=self._token(answer.token_ids, position),
            before_chance=parting.before if parting and told else None,
            now_chance=parting.now if parting and told else None,
        )

    def _token(self, token_ids: Sequence[int], position: int) -> str:
        if position >= len(token_ids):
            return ""
        return self.gate.prompter.tokenizer.decode([token_ids[position]], skip_special_tokens=False)


# Of a record: what reports have elsewhere, or need not say.
HIDDEN = ("key", "request", "baseline_today", "fault")


def pack_report(gate: GateSession) -> PackReport | None:
    """Return what reports say of the gated pack."""
    run = gate.run
    if run.pack is None or run.identity is None:
        return None
    asked = decoding(gate)
    return PackReport(
        path=gate.shown(run.pack),
        sha256=run.pack_sha256,
        engine=run.identity.to_json(),
        decoding={"prompt": asked.prompt, "max_new_tokens": asked.max_new_tokens},
    )


def baseline_report(gate: GateSession, baseline: Baseline) -> BaselineReport:
    """Return what reports say of the baseline."""
    certificate = baseline.certificate
    if certificate is None or gate.run.baseline is None:
        return BaselineReport(where=baseline.where)
    return BaselineReport(
        where=baseline.where,
        pack=certificate.pack.name,
        sha256=certificate.pack.sha256,
        differs=differences(gate, certificate),
        redecided=REDECIDED[Redecide(gate.run.baseline.redecide)],
    )


def rerun_command(gate: GateSession, rows: Sequence[Row], markexpr: str) -> str:
    """Return the command that runs again only what was lost, or nothing."""
    lost = [row for row in rows if row.refuses or row.outcome is Outcome.LOST]
    nodes = [row.verdict["nodeid"] for row in lost]
    if not lost or not all(nodes):
        return ""
    options = gate.options
    command = ["pytest"]
    if options.completions is not None:
        command.append(f"--gate-completions={gate.shown(str(options.completions))}")
    elif gate.run.pack is not None:
        command += ["--pack", gate.shown(gate.run.pack)]
    command += ["-m", markexpr] if markexpr else []
    command += nodes if len(nodes) <= NAMED_IN_COMMAND else ["--lf"]
    return shlex.join(command)
