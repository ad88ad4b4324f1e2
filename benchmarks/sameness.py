"""Whether verdicts depend on workers, batches or order: the demo anchors are gated 20 times.

    python benchmarks/sameness.py             a few minutes
    python benchmarks/sameness.py --seeds 2 --pack PACK

Each seed chooses workers (0, 1, 2 or 4), a small or a large token budget and an order of the tasks,
and gates in an empty store. The exit status is 1 when a verdict or an answer differs from that of
one row per batch without workers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from contestants import GATE_STATUSES, PLUGINS, last_line
from progress import say
from work import ANCHORS, DEMO, ROOT

WORKERS, BUDGETS = (0, 1, 2, 4), (1, 700, 16384)


def main() -> int:
    """Gate, compare and say what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--pack", type=Path, default=DEMO)
    options = parser.parse_args()
    right = gated(options.pack, seed=None, workers=0, budget=1)
    wrong = 0
    for seed in range(options.seeds):
        choose = random.Random(seed)
        workers, budget = choose.choice(WORKERS), choose.choice(BUDGETS)
        found = gated(options.pack, seed=seed, workers=workers, budget=budget)
        other = sorted(key for key in right if found.get(key) != right[key])
        wrong += bool(other) or found.keys() != right.keys()
        how = f"seed {seed}: {workers} workers, {budget} tokens per batch, shuffled"
        say(f"{how}: {len(other)} of {len(right)} differ {', '.join(other[:3])}".rstrip())
    print(f"{options.seeds - wrong} of {options.seeds} gates as the first, {len(right)} tasks each")
    return 1 if wrong else 0


def gated(pack: Path, *, seed: int | None, workers: int, budget: int) -> dict[str, Any]:
    """Return each task's verdict and answer from a gate of its own."""
    with tempfile.TemporaryDirectory(prefix="anchorgate-sameness-") as name:
        folder = Path(name)
        for part in ("packs", "tests/gate"):
            shutil.copytree(ROOT / part, folder / part)
        lines = ANCHORS.read_text("utf-8").splitlines(keepends=True)
        if seed is not None:
            random.Random(seed).shuffle(lines)
        (folder / "anchors.jsonl").write_text("".join(lines), "utf-8")
        (folder / "pytest.ini").write_text("[pytest]\ngate_anchors = anchors.jsonl\n", "utf-8")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", *PLUGINS, "-m", "anchor", "-q", "--tb=no"),
                *(f"--pack={pack}", "--gate-json=out.json", f"-n{workers}"),
                f"--gate-batch-tokens={budget}",
            ],
            cwd=folder, capture_output=True, text=True, check=False,
            env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        )  # fmt: skip
        if done.returncode not in GATE_STATUSES:
            raise SystemExit(f"status {done.returncode}: {last_line(done.stdout + done.stderr)}")
        report = json.loads((folder / "out.json").read_text("utf-8"))
    return {one["id"]: [one["status"], one["token_ids"]] for one in report["tasks"]}


if __name__ == "__main__":
    sys.exit(main())
