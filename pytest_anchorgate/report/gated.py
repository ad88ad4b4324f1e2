"""What a finished gate run knows: the value that every report renders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.gate import Ruling
    from pytest_anchorgate.store import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """The gated pack and the engine that answered for it."""

    path: str
    sha256: str
    engine: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """A decision with everything that led to it; ``verdicts`` are plain JSON, in suite order."""

    ruling: Ruling
    pack: PackReport | None
    verdicts: tuple[dict[str, Any], ...]
    traffic: Traffic
    load_s: float
    generate_s: float
    total_s: float
    sandbox: str
    without_answer: int
    unknown_answers: tuple[str, ...]
    log: Path | None

    @property
    def verify_s(self) -> float:
        """Seconds that programs ran, added up over all workers."""
        return sum(float(verdict["seconds"]) for verdict in self.verdicts)

    def together(self) -> tuple[str, ...]:
        """Return the ids of the tasks whose tests ran beside the program."""
        return tuple(v["task_id"] for v in self.verdicts if v["together"])

    def rerun(self) -> tuple[str, ...]:
        """Return what became of each anchor that first ran out of time."""
        return tuple(f"{v['task_id']} {v['status']}" for v in self.verdicts if v["first_reason"])

    def suites(self) -> dict[str, Counter[str]]:
        """Return for each suite how many verdicts have each status."""
        counts: dict[str, Counter[str]] = {}
        for verdict in self.verdicts:
            suite = counts.setdefault(verdict["suite"], Counter({s.value: 0 for s in Status}))
            suite[verdict["status"]] += 1
        return counts
