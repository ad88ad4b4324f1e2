"""Anchors that were taken away or changed without leave, and the waivers that give leave."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_anchorgate.gate import ANCHOR
from pytest_anchorgate.git import show_files
from pytest_anchorgate.ini import SECTIONS, is_ini, setting
from pytest_anchorgate.ratchet import anchors_at, plain_at, plain_here, ratchet
from pytest_anchorgate.tasks.suites import parse_suite_spec
from pytest_anchorgate.waivers import expired_lines, read_waivers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    lines = [*expired, *_ratcheted(gate, waived)]
    here = f"{options.root}{os.sep}"  # a reader knows where the project is
    return Breaches(waived=waived, lines=tuple(line.replace(here, "") for line in lines))


def _ratcheted(gate: GateSession, waived: frozenset[str]) -> tuple[str, ...]:
    options = gate.options
    if options.ratchet is None or not options.anchors:
        return ()
    specs = options.suites.get(ANCHOR, ())
    files, paths = list(specs), list(options.gate_paths)
    for name, value in _settings_at(options.root, options.ratchet):
        if name == "gate_paths":
            paths.append(value)
        elif not options.anchors_chosen:
            files.append(parse_suite_spec(os.path.normpath(options.root / value)))
    return ratchet(
        anchors_at(
            options.root, options.ratchet, dict.fromkeys(files), references=options.references
        ),
        [case.task for case in gate.cases(ANCHOR)] if specs else [],
        plain_before=plain_at(options.root, options.ratchet, paths),
        plain_now=plain_here(options.root, options.gate_paths),
        waived=waived,
        session_timeout_s=options.timeout_s,
    )


def _settings_at(root: Path, revision: str) -> Iterator[tuple[str, str]]:
    """Yield the anchor files and test paths that the ini file of a revision named."""
    contents = show_files(root, revision, list(SECTIONS))
    for name, content in zip(SECTIONS, contents, strict=True):
        path = root / name
        if content is None or not is_ini(path, content):
            continue
        for key in ("gate_anchors", "gate_paths"):
            yield from ((key, value) for value in setting(path, content, key) or ())
        return
