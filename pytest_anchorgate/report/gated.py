"""What a finished gate run knows: the value that every report renders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.gate import ANCHOR, Outcome, suite_of

if TYPE_CHECKING:
    from pytest_anchorgate.certificate import CertifiedTask
    from pytest_anchorgate.gate import Ruling
    from pytest_anchorgate.ledger import Attempt
    from pytest_anchorgate.report.suites import SuiteReport
    from pytest_anchorgate.store import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """The gated pack, the engine that answered for it, and how it was asked."""

    path: str
    sha256: str
    engine: dict[str, Any]
    decoding: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineReport:
    """What the verdicts were held against.

    ``where`` is its certificate, or without one why there is none; ``redecided`` says how a loss
    was decided again where the baseline was certified under another engine or verifier.
    """

    where: str
    pack: str = ""
    sha256: str = ""
    differs: tuple[str, ...] = ()  # of: engine, decoding, verification
    redecided: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first token in which two answers differ; ``""`` where an answer has ended.

    The chances are the candidate's for both tokens, where its engine told.
    """

    position: int  # in the answer, from 0
    before: str
    now: str
    before_chance: float | None = None
    now_chance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case: its verdict, what that means, and what the baseline had.

    ``verdict`` is plain JSON as docs/report.md has it. ``before_program`` is empty without a
    baseline; ``refuses`` says that this case alone refuses the candidate.
    """

    key: str
    verdict: dict[str, Any]
    outcome: Outcome
    refuses: bool = False
    trained_on: bool = False
    token_ids: tuple[int, ...] = ()
    margin: float | None = None
    before: CertifiedTask | None = None
    before_program: str = ""
    divergence: Divergence | None = None

    @property
    def suite(self) -> str:
        """The suite's name."""
        return suite_of(self.key)

    @property
    def id(self) -> str:
        """The item's id: the task's, with ``-s<n>`` from the second sample on."""
        return self.key.partition(":")[2]

    @property
    def anchor(self) -> bool:
        """Whether the case is an anchor."""
        return self.suite == ANCHOR

    @property
    def passed(self) -> bool:
        """Whether the case counts as solved."""
        return bool(self.verdict["status"] == "passed")

    @property
    def sentinel(self) -> bool:
        """Whether the case is an anchor that training never sees."""
        return bool(self.verdict["sentinel"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Where the time went; ``verify`` is added up over all workers."""

    load: float
    generate: float
    verify: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """A decision with everything that led to it; ``rows`` are in suite order."""

    ruling: Ruling
    title: str  # what was gated
    pack: PackReport | None
    baseline: BaselineReport
    rows: tuple[Row, ...]
    suites: tuple[SuiteReport, ...]
    traffic: Traffic
    seconds: Seconds
    sandbox: str
    without_answer: int
    unknown_answers: tuple[str, ...]
    history: tuple[Attempt, ...]  # what packs/ledger.jsonl holds, this run's included
    rerun: str  # the command that runs again only what was lost, or nothing
    notes: tuple[str, ...]  # what a reader should know and decides nothing
    log: str  # of the model's process, if there was one

    def with_outcome(self, *outcomes: Outcome) -> tuple[Row, ...]:
        """Return the rows with one of these outcomes."""
        return tuple(row for row in self.rows if row.outcome in outcomes)

    def losses(self) -> list[Row]:
        """Return the lost cases, those that refuse alone before those only reported."""
        return sorted(self.with_outcome(Outcome.LOST), key=lambda row: not row.refuses)

    def together(self) -> tuple[str, ...]:
        """Return the ids of the tasks whose tests ran beside the program."""
        return tuple(row.id for row in self.rows if row.verdict["together"])

    def run_again(self) -> tuple[str, ...]:
        """Return what became of each case that first ran out of time."""
        again = [row for row in self.rows if row.verdict["first_reason"]]
        return tuple(f"{row.id} {row.verdict['status']}" for row in again)
