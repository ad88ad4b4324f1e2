"""The run's line in the ledger: what a candidate kept, lost and gained."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_anchorgate.gate import Decision, Outcome
from pytest_anchorgate.ledger import FILE, Attempt, Event, append_attempt, read_ledger
from pytest_anchorgate.pack.production import read_production
from pytest_anchorgate.pack.provenance import TRAINED_ON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.gate import Ruling
    from pytest_anchorgate.report.gated import Row
    from pytest_anchorgate.session import GateSession

KEPT = (Outcome.KEPT, Outcome.PASSED, Outcome.GAINED)


def record_attempt(gate: GateSession, rows: Sequence[Row], ruling: Ruling) -> tuple[Attempt, ...]:
    """Write a decided gate of a candidate to the ledger; return all that the ledger holds.

    Gating production's own pack again is no attempt, and neither is a repeated run, and a surgery
    is recorded by `Operation`. Without
    ``production.toml`` there is nothing to be a candidate for, and no ledger.

    :raises LedgerError: when the ledger cannot be read or written.
    """
    options, run = gate.options, gate.run
    path, production = options.packs / FILE, read_production(options.packs)
    decided = ruling.decision in (Decision.ACCEPTED, Decision.REFUSED)
    gated = options.surgery is None  # what a surgery made, it has recorded itself
    if gated and decided and run.pack and production and production.sha256 != run.pack_sha256:
        append_attempt(path, make_attempt(gate, rows, ruling))
    return read_ledger(path)


def make_attempt(gate: GateSession, rows: Sequence[Row], ruling: Ruling) -> Attempt:
    """Return what the ledger says of a gated pack."""
    assert gate.run.pack is not None
    anchors = [row for row in rows if row.anchor]
    sentinels = [row for row in anchors if row.sentinel]
    planned, passed = Counter(row.suite for row in rows), Counter(r.suite for r in rows if r.passed)
    provenance = gate.prompter.pack.provenance
    return Attempt(
        event=Event.GATE,
        time=datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        pack=gate.run.pack.rpartition("/")[2],
        sha256=gate.run.pack_sha256,
        decision=ruling.decision.value,
        anchors_kept=sum(row.outcome in KEPT for row in anchors),
        anchors=len(anchors),
        sentinels_kept=sum(row.outcome in KEPT for row in sentinels),
        sentinels=len(sentinels),
        gained=len(ruling.gained),
        lost=len(ruling.lost),
        lost_anchors=tuple(sorted(row.id for row in anchors if row.outcome is Outcome.LOST)),
        suites={suite: (passed[suite], planned[suite]) for suite in planned},
        settings={key: text for key, text in provenance.items() if key != TRAINED_ON},
    )
