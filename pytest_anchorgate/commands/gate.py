"""A gate for a command: pytest in a process of its own, and what its report says.

Knows nothing of production: what becomes of an accepted pack is for the command.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.gate import ANCHOR, EXIT_INVALID, Decision
from pytest_anchorgate.history import KEPT
from pytest_anchorgate.ledger import Attempt, Event
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.provenance import TRAINED_ON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_FAILED, EXIT_USAGE = 1, 2
PYTEST_USAGE = 4
PATIENCE_S = 10.0  # how long a pytest that was interrupted may take to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A gate that has ended: pytest's exit status, and the report if there is one."""

    status: int
    report: dict[str, Any]

    def fault(self, sha256: str) -> tuple[int, str] | None:
        """Return the exit status and the reason when the pack was not accepted, else None."""
        if not self.report:
            status = EXIT_USAGE if self.status == PYTEST_USAGE else EXIT_FAILED
            return status, f"pytest ended with status {self.status} and wrote no report"
        decision, pack = self.report["decision"], self.report["pack"] or {}
        said = f"{decision}: {'; '.join(self.report['reasons'])}"
        if decision == Decision.REFUSED:
            return EXIT_FAILED, said
        if decision != Decision.ACCEPTED:
            return EXIT_INVALID, said
        if pack.get("sha256") != sha256:
            found = pack.get("sha256", "nothing")
            return EXIT_FAILED, f"{found} was gated instead of sha256 {sha256}"
        if self.status:
            return EXIT_FAILED, f"{said}; and yet pytest ended with status {self.status}, see above"
        return None

    def attempt(self, event: Event, pack: Path) -> Attempt:
        """Return the ledger's line for a pack that goes into production."""
        report, provenance = self.report, read_pack(pack).provenance
        rates = {name: suite["rate"] for name, suite in report["suites"].items()}
        lost = (key.partition(":") for key in report["lost"])
        return Attempt(
            event=event,
            time=datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            pack=pack.name,
            sha256=report["pack"]["sha256"],
            decision=report["decision"],
            anchors_kept=self.kept,
            anchors=len(self.anchors),
            sentinels_kept=sum(a["sentinel"] and a["outcome"] in KEPT for a in self.anchors),
            sentinels=self.sentinels,
            gained=len(report["gained"]),
            lost=len(report["lost"]),
            lost_anchors=tuple(sorted(item for suite, _, item in lost if suite == ANCHOR)),
            suites={name: (rate["passed"], rate["total"]) for name, rate in rates.items()},
            settings={key: text for key, text in provenance.items() if key != TRAINED_ON},
            production=True,
        )

    @property
    def anchors(self) -> list[dict[str, Any]]:
        """The report's anchors."""
        return [task for task in self.report["tasks"] if task["suite"] == ANCHOR]

    @property
    def kept(self) -> int:
        """How many anchors were solved."""
        return sum(anchor["outcome"] in KEPT for anchor in self.anchors)

    @property
    def sentinels(self) -> int:
        """How many anchors are sentinels."""
        return sum(bool(anchor["sentinel"]) for anchor in self.anchors)


def run_gate(arguments: Sequence[str], *, copy: Path | None = None) -> Gate:
    """Run pytest with these arguments, its output shown, and return how it ended.

    Its report is written anew for this run alone; ``copy`` gets one too.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gate.json"
        status = _run([sys.executable, "-m", "pytest", *arguments, f"--gate-json={path}"])
        content = path.read_bytes() if path.exists() else b"{}"
    if copy is not None and content != b"{}":
        write_file(copy, content)
    return Gate(status=status, report=json.loads(content))


def _run(command: Sequence[str]) -> int:
    sys.stdout.flush()
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except BaseException:  # Ctrl-C reaches pytest too, which then ends what it has started
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
            process.kill()
            raise


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Put a file back as it was before the block, or take it away."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
    finally:
        if before is None:
            path.unlink(missing_ok=True)
        elif not path.exists() or path.read_bytes() != before:
            write_file(path, before)
