"""What the HTML report shows, section by section, and how much of it. Knows no HTML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_anchorgate.gate import Outcome
from pytest_anchorgate.ledger import production_sha256
from pytest_anchorgate.report.diff import Kind, side_by_side, unified
from pytest_anchorgate.report.plots import Bar, MarginPlot, Scatter, bar, margin_plot, scatter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_anchorgate.ledger import Attempt
    from pytest_anchorgate.report.diff import Pair
    from pytest_anchorgate.report.gated import GateReport, Row
    from pytest_anchorgate.report.suites import Share, SuiteReport

CARDS = 100  # of a section; what is beyond stands in the table of all tasks
COLUMNS = 8  # attempts in the history's table
NAMES = 200  # in a list
MANY = 400  # tasks, from which on each carries less


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of its texts a task's row carries; characters, or lines."""

    program: int = 8000
    program_lines: int = 200
    answer: int = 2000
    printed: int = 2000
    diff_lines: int = 200

    @classmethod
    def of(cls, tasks: int) -> Bounds:
        """Return the bounds that keep a report of so many tasks at a few megabytes."""
        if tasks <= MANY:
            return cls()
        share = max(0.1, 1000 / max(tasks, 1000))
        return cls(
            program=int(2000 * share),
            program_lines=60,
            answer=int(500 * share),
            printed=int(400 * share),
            diff_lines=int(60 * share),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A case that is shown whole; ``number`` is its place among all."""

    number: int
    row: Row

    @property
    def failed_line(self) -> int | None:
        """The line of the program in which it failed."""
        line: int | None = (self.row.verdict["failure"] or {}).get("program_line")
        return line

    @property
    def pairs(self) -> list[Pair]:
        """The baseline's program beside the candidate's; empty when there is nothing to compare."""
        before, now = self.row.before_program, self.row.verdict["program"]
        if not before or before == now:
            return []
        pairs = side_by_side(before, now, keep=self.failed_line)
        return pairs[:-1] if _is_end(pairs[-1]) else pairs


def _is_end(pair: Pair) -> bool:
    """Whether a pair is nothing but what follows the last newline of both programs."""
    return pair.kind is Kind.SAME and pair.left is not None and not pair.left.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """The cases of a section that are shown whole, and the ids of those beyond."""

    shown: tuple[Card, ...]
    beyond: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.shown) + len(self.beyond)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A row of the table of all tasks; ``card`` says that it also has a card."""

    number: int
    row: Row
    card: bool

    @property
    def diff(self) -> list[str]:
        """The unified diff of the baseline's program and the candidate's."""
        before = self.row.before_program
        return unified(before, self.row.verdict["program"]) if before else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the suites' table: a suite, or the part of one that was trained on or not."""

    suite: SuiteReport
    part: str  # "" for the whole suite
    share: Share
    bar: Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that the decision hangs on."""

    label: str
    value: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A fact about an attempt; ``changed`` says that the attempt before had another."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The latest attempts with what is known of each, and a plot of all."""

    attempts: tuple[Attempt, ...]
    current: Attempt | None
    left_out: int
    settings: tuple[tuple[str, tuple[Cell, ...]], ...]
    results: tuple[tuple[str, tuple[Cell, ...]], ...]
    scatter: Scatter | None


class Page:
    """The report as a page shows it."""

    names = NAMES

    def __init__(self, report: GateReport) -> None:
        self.report = report
        self.bounds = Bounds.of(len(report.rows))
        self.compared = any(row.before is not None for row in report.rows)

    @cached_property
    def lost(self) -> Cards:
        """The lost cases: anchors first, then what else refuses."""
        return self._cards(Outcome.LOST)

    @cached_property
    def failed(self) -> Cards:
        """The cases that did not pass and that no baseline has a verdict on."""
        return self._cards(Outcome.FAILED)

    @cached_property
    def gained(self) -> Cards:
        """The cases that only the candidate solves."""
        return self._cards(Outcome.GAINED)

    @cached_property
    def broken(self) -> tuple[Row, ...]:
        """The cases on which our machinery broke."""
        return self.report.with_outcome(Outcome.ERROR)

    def _cards(self, outcome: Outcome) -> Cards:
        found = [
            Card(number=number, row=row)
            for number, row in enumerate(self.report.rows)
            if row.outcome is outcome
        ]
        found.sort(key=lambda card: (not card.row.anchor, not card.row.refuses))
        beyond = tuple(card.row.id for card in found[CARDS:])
        return Cards(shown=tuple(found[:CARDS]), beyond=beyond)

    def tasks(self) -> Iterator[Task]:
        """Yield every case in the suites' order."""
        sections = (self.lost, self.failed, self.gained)
        carded = {card.number for cards in sections for card in cards.shown}
        for number, row in enumerate(self.report.rows):
            yield Task(number=number, row=row, card=number in carded)

    def figures(self) -> Iterator[Figure]:
        """Yield the numbers that lead to the decision."""
        rows = self.report.rows
        anchors = [row for row in rows if row.anchor]
        sentinels = [row for row in anchors if row.sentinel]
        for label, some in (("anchors kept", anchors), ("sentinels kept", sentinels)):
            if some:
                yield Figure(label=label, value=sum(row.passed for row in some), total=len(some))
        if not anchors:
            yield Figure(label="passed", value=sum(row.passed for row in rows), total=len(rows))
        if self.compared or self.lost:
            yield Figure(label="lost", value=len(self.lost))
        if self.compared:
            yield Figure(label="gained", value=len(self.gained))
        if self.failed or not self.compared:
            yield Figure(label="failed", value=len(self.failed))

    def suites(self) -> Iterator[Line]:
        """Yield the lines of the suites' table."""
        for suite in self.report.suites:
            before = suite.solved_before / suite.compared if suite.compared else None
            yield Line(suite=suite, part="", share=suite.all, bar=bar(suite.all, before))
            for part, share in (("trained on", suite.trained), ("unseen", suite.unseen)):
                if share is not None:
                    yield Line(suite=suite, part=part, share=share, bar=bar(share))

    def margins(self) -> MarginPlot | None:
        """Return the plot of the kept anchors' margins."""
        kept = self.report.with_outcome(Outcome.KEPT, Outcome.PASSED)
        return margin_plot([row for row in kept if row.anchor])

    def history(self) -> History | None:
        """Return what was tried before, or None for the first attempt of all."""
        attempts = self.report.history
        if not attempts:
            return None
        pack, shown = self.report.pack, attempts[-COLUMNS:]
        ours = [a for a in attempts if pack is not None and a.sha256 == pack.sha256]
        current = ours[-1] if ours else None
        keys = sorted({key for attempt in shown for key in attempt.settings})
        return History(
            attempts=shown,
            current=current,
            left_out=len(attempts) - len(shown),
            settings=tuple(
                (key, _cells(attempt.settings.get(key, "-") for attempt in shown)) for key in keys
            ),
            results=tuple(_results(shown, production_sha256(attempts))),
            scatter=scatter(attempts, current),
        )


def _results(
    attempts: Sequence[Attempt], production: str
) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    def row(label: str, texts: Iterable[str]) -> tuple[str, tuple[Cell, ...]]:
        return label, tuple(Cell(text=text, changed=False) for text in texts)

    yield row("anchors", (_of(a.anchors_kept, a.anchors) for a in attempts))
    yield row("sentinels", (_of(a.sentinels_kept, a.sentinels) for a in attempts))
    for suite in sorted({name for a in attempts for name in a.suites}):
        yield row(suite, (_of(*a.suites.get(suite, (0, 0))) for a in attempts))
    yield row("gained", (str(a.gained) for a in attempts))
    yield row("lost", (str(a.lost) for a in attempts))
    yield row("status", ("PRODUCTION" if a.sha256 == production else "archived" for a in attempts))


def _cells(texts: Iterable[str]) -> tuple[Cell, ...]:
    """Mark what differs from the attempt before."""
    found = list(texts)
    before = [found[0], *found]
    return tuple(
        Cell(text=text, changed=text != other) for text, other in zip(found, before, strict=False)
    )


def _of(passed: int, total: int) -> str:
    return f"{passed} / {total}" if total else "not measured"
