"""Anchors that were taken away or changed without leave, and the waivers that give leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_anchorgate.gate import ANCHOR
from pytest_anchorgate.ratchet import anchors_at, plain_at, plain_here, ratchet
from pytest_anchorgate.waivers import expired_lines, read_waivers

if TYPE_CHECKING:
    from pytest_anchorgate.session import GateSession

WAIVERS = "anchors/waivers.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaches:
    """``waived`` are the ids of tasks that may change or go; each line refuses the candidate."""

    waived: frozenset[str]
    lines: tuple[str, ...]


def find_breaches(gate: GateSession) -> Breaches:
    """Return what ``--gate-ratchet`` and expired waivers hold against a run.

    :raises UsageError: when the waivers cannot be read, or there is no such revision.
    """
    options, today = gate.options, datetime.now(tz=UTC).date()
    waivers = read_waivers(options.root / WAIVERS)
    waived = frozenset(waiver.task for waiver in waivers if not waiver.expired(today))
    expired = expired_lines(waivers, today, WAIVERS)
    return Breaches(waived=waived, lines=(*expired, *_ratcheted(gate, waived)))


def _ratcheted(gate: GateSession, waived: frozenset[str]) -> tuple[str, ...]:
    options = gate.options
    if options.ratchet is None or not options.anchors:
        return ()
    specs = options.suites.get(ANCHOR, ())
    before = anchors_at(options.root, options.ratchet, specs, references=options.references)
    return ratchet(
        before,
        [case.task for case in gate.cases(ANCHOR)] if specs else [],
        plain_before=plain_at(options.root, options.ratchet, options.gate_paths),
        plain_now=plain_here(options.root, options.gate_paths),
        waived=waived,
    )
