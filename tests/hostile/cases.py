"""The programs of this folder, each with what its header says of it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_anchorgate.errors import SandboxError
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.outcome import Kind
from pytest_anchorgate.sandbox.process import Zygote

HERE = Path(__file__).parent
FAMILIES = ("forging", "exhausting", "escaping", "honest")
TIERS = ("namespaces", "landlock", "rlimits")
WALLED = TIERS[:2]  # without walls, only programs that need none are run
SQUARES = ("assert f(2) == 4", "assert f(3) == 9")
HEADER = re.compile(r"# /// check\n((?:#.*\n)+?)# ///\n")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One program: a file whose header is TOML behind ``# ``, and what may become of it."""

    family: str
    name: str
    program: str
    verdict: list[Kind]  # what any run of it may end with
    verdicts: dict[str, list[Kind]] = field(default_factory=dict)  # the same, by tier
    reason: str = ""  # part of the outcome's reason
    tests: list[str] = field(default_factory=lambda: list(SQUARES))
    prompt: str = ""
    setup: str = ""
    entry_point: str = "f"
    together: bool = False
    limits: dict[str, float] = field(default_factory=dict)
    tiers: list[str] = field(default_factory=lambda: list(TIERS))
    why: str = ""  # it runs in these tiers alone
    sends: bool = False  # it begins with send.py
    runs: int = 1  # what the first leaves behind, the second may find
    alone: bool = False  # it takes up what other programs of the same user need
    settle_s: float = 0.0  # how long to wait for what it left running to do its work

    @property
    def hostile(self) -> bool:
        """Whether it must not pass."""
        return self.family != "honest"

    def allowed(self, tier: str) -> list[Kind]:
        """Return the kinds of outcome that it may have in a tier."""
        return self.verdicts.get(tier, self.verdict)

    def stated_limits(self) -> Limits:
        """Return the limits to run it under; a wall-clock guard of its own where it has one."""
        stated = {"cpu_s": 1.0 if self.hostile else 3.0} | self.limits
        wall_s = stated.pop("wall_s", None)
        kind = Limits if wall_s is None else type("Guarded", (Limits,), {"wall_s": wall_s})
        limits: Limits = kind(**stated)
        return limits


def header(path: Path) -> dict[str, Any]:
    """Return the header of a program; raises ValueError when it has none."""
    found = HEADER.match(path.read_text("utf-8"))
    if found is None:
        raise ValueError(f"{path}: does not begin with a header")
    return tomllib.loads(re.sub(r"^# ?", "", found[1], flags=re.MULTILINE))


def read_case(path: Path) -> Case:
    """Return the case in a file; raises TypeError for a key that no header has."""
    said = header(path)
    verdict = [Kind(kind) for kind in said.pop("verdict", ["passed"])]
    verdicts = {
        tier: [Kind(kind) for kind in kinds] for tier, kinds in said.pop("verdicts", {}).items()
    }
    begins = (HERE / "send.py").read_text("utf-8") if said.get("sends") else ""
    return Case(
        family=path.parent.name,
        name=path.stem,
        program=begins + path.read_text("utf-8"),
        verdict=verdict,
        verdicts=verdicts,
        **said,
    )


def read_cases() -> list[Case]:
    """Return every program of this folder, in the order of their names."""
    return [read_case(path) for family in FAMILIES for path in sorted((HERE / family).glob("*.py"))]


def starting_tiers() -> list[str]:
    """Return the tiers that start here; the first of them is required."""
    found = [TIERS[0]]
    for tier in TIERS[1:]:
        try:
            Zygote(tier).stop()
        except SandboxError:
            continue
        found.append(tier)
    return found
