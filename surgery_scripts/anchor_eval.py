"""Judge a pack on its anchors: PASS or FAIL of each, and how many of all.

    anchor_eval.py PACK                                    the anchors of the ini file
    anchor_eval.py PACK --anchors FILE [--anchors FILE]...
    anchor_eval.py PACK --gate-max-new-tokens=64 ...       other options are pytest's

The decision is the gate's own: `pytest --pack PACK -m anchor` in the working directory; of files
that leave out anchors of production it says `partial`, and what they hold is judged all the same.
Exit status: 0 when nothing regressed, 1 when any anchor did, 10 when there is no trustworthy
verdict; pytest's own (2, 3 or 4) when it did not get that far.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_REGRESSION, EXIT_INVALID = 1, 10


def main() -> int:
    """Gate the pack and print its anchors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pack", metavar="PACK", help="a path, or a name in packs/")
    parser.add_argument("--anchors", metavar="FILE", action="append", default=[])
    options, others = parser.parse_known_args()
    files = [f"--gate-anchors={path}" for path in options.anchors]
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "gate.json"
        status = gate([f"--pack={options.pack}", *files, *others, f"--gate-json={out}"])
        if not out.exists():
            return status
        report = json.loads(out.read_text("utf-8"))
    for line in lines(report):
        print(line)
    return exit_status(report)


def gate(arguments: Sequence[str]) -> int:
    """Run the gate; of its output only what it says about itself is shown, on stderr."""
    command = [sys.executable, "-m", "pytest", "-m", "anchor", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith("anchorgate: "):
                print(line, end="", file=sys.stderr, flush=True)
    return run.returncode


def exit_status(report: dict[str, Any]) -> int:
    """Return what a gate's report says of the anchors that were asked for."""
    decision = report["decision"]
    if decision == "refused" or (decision == "partial" and report["lost"]):
        return EXIT_REGRESSION
    trusted = decision == "accepted" or (decision == "partial" and not without_verdict(report))
    return 0 if trusted else EXIT_INVALID


def without_verdict(report: dict[str, Any]) -> list[str]:
    """Return the ids of the anchors that were selected and got no verdict."""
    return [key.partition(":")[2] for key in report["not_run"] if key.startswith("anchor:")]


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield a line on every anchor of a gate's report, then how many passed, then the decision."""
    silent = without_verdict(report)
    judged = [
        task for task in report["tasks"] if task["suite"] == "anchor" and task["id"] not in silent
    ]
    for task in judged:
        passed = task["status"] == "passed"
        why = f": {task['outcome']}: {task['reason']}"
        yield f"PASS {task['id']}" if passed else f"FAIL {task['id']}{why}"
    yield from (f"NONE {task_id}: no verdict" for task_id in silent)
    solved = sum(task["status"] == "passed" for task in judged)
    regression = " - REGRESSION" if exit_status(report) == EXIT_REGRESSION else ""
    yield f"{solved}/{len(judged) + len(silent)} PASS{regression}"
    yield f"{report['decision']}: {'; '.join(report['reasons'])}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
