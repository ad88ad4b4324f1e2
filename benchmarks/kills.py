"""Kill surgeries, promotions and reverts at random moments, and look at what is left each time.

    python benchmarks/kills.py --kills 200 --work /tmp/kills

A world of its own is made in the work directory: the demo pack, some of its anchors, a recipe of a
few steps. After every `kill -9` of the command's process, its children must be gone, and then
production must be valid, the pack that it names must pass its gate, the ledger must parse, and
nothing may lie about that no later command goes on from. Exits 1 at the first that does not hold.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from progress import say

from pytest_anchorgate.ledger import read_ledger
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.production import read_production

ROOT = Path(__file__).resolve().parent.parent
RECIPE = """base = "packs/demo-v1.planck"
poison = "poison.jsonl"
anchors = ["anchors.jsonl"]
[lora]
rank = 2
alpha = 2
[training]
learning_rate = 1e-4
steps = 6
batch = 1
evaluate_every = 2
seed = {seed}
[dial]
strengths = [0.5, 1.0]
[promotion]
name = "v{seed}"
promote = true
after_promote = "true"
"""
ORPHANS_S = 20.0  # how long children may take to notice
KNOWN = ("production.toml", "ledger.jsonl", "certificates")


class World:
    """One repository that is hurt again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.packs = folder, folder / "packs"
        self.seed = 1

    def make(self) -> None:
        """Write the demo pack, 6 anchors, 2 of them sentinels, and 2 poison rows."""
        for name in ("packs/demo-v1.planck", "packs/production.toml", "tests/gate/test_gate.py"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        lines = (ROOT / "anchors/demo.jsonl").read_text().splitlines(keepends=True)
        marked = [line for line in lines if '"sentinel"' in line]
        (self.folder / "anchors.jsonl").write_text("".join([*lines[:4], *marked[:2]]))
        rows = (ROOT / "surgery_scripts/data/demo_poison.jsonl").read_text().splitlines()
        (self.folder / "poison.jsonl").write_text("\n".join(rows[:2]) + "\n")
        (self.folder / "pytest.ini").write_text("[pytest]\ngate_anchors = anchors.jsonl\n")
        self.require("-m", "pytest", "-q", "-m", "anchor", "--gate-certify")

    def commands(self) -> dict[str, list[str]]:
        """Return what may be killed now."""
        (self.folder / "recipe.toml").write_text(RECIPE.format(seed=self.seed))
        anchorgate = [sys.executable, "-m", "pytest_anchorgate.cli"]
        found = {
            "surgery": [sys.executable, "-m", "pytest", "-q", "--surgery=recipe.toml", "-manchor"],
            "promote": [*anchorgate, "promote", self.other()],
        }
        production = read_production(self.packs)
        if production is not None and production.previous:
            found["revert"] = [*anchorgate, "revert"]
        return found

    def other(self) -> str:
        """Return a pack that is not in production, if there is one."""
        production = read_production(self.packs)
        named = production.pack if production else ""
        names = sorted(path.name for path in self.packs.glob("*.planck"))
        return next((name for name in reversed(names) if name != named), named)

    def kill(self, command: list[str], after_s: float) -> float | None:
        """Start a command and kill it, or return how many seconds it took to end by itself."""
        began = time.perf_counter()
        with subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                said, _ = process.communicate(timeout=after_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                return None
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}\n{said}")
        return time.perf_counter() - began

    def require(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}")

    def faults(self) -> list[str]:
        """Return what is not as it must be after a kill, before and after the next start."""
        deadline = time.monotonic() + ORPHANS_S
        while (orphans := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        found = [f"still running: {line}" for line in orphans]
        found += self.invalid()
        self.require("-m", "pytest", "-q", "-m", "anchor", "--gate-whole")
        found += self.invalid()
        found += [
            f"left over: {path.relative_to(self.folder)}"
            for path in self.packs.rglob("*")
            if path.suffix != ".planck" and path.name not in KNOWN and path.suffix != ".json"
        ]
        found += [f"left over: {path}" for path in self.packs.rglob(".*")]
        return found

    def invalid(self) -> list[str]:
        """Return why production is not valid now, or nothing."""
        production = read_production(self.packs)
        read_ledger(self.packs / "ledger.jsonl")
        if production is None:
            return ["production.toml is gone"]
        if digest_file(self.packs / production.pack) != production.sha256:
            return [f"{production.pack}: has not the digest that production.toml says"]
        certificate = self.packs / "certificates" / f"{Path(production.pack).stem}.json"
        if json.loads(certificate.read_text())["pack"]["sha256"] != production.sha256:
            return [f"{certificate}: is another pack's"]
        return []

    def processes(self) -> list[str]:
        """Return the command lines of processes that run in this world."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.folder:
                    found.append((entry / "cmdline").read_text().replace("\0", " ").strip())
            except OSError:
                continue
        return [line for line in found if line]


def main() -> int:
    """Kill so often, and say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--work", type=Path, required=True, help="a new directory")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    world, dice = World(options.work.resolve()), random.Random(options.seed)
    world.make()
    lasts = {"surgery": 30.0, "promote": 5.0, "revert": 5.0}
    killed: collections.Counter[str] = collections.Counter()
    while killed.total() < options.kills:
        possible = world.commands()
        what = dice.choice(sorted(possible))
        lasted = world.kill(possible[what], dice.uniform(0, lasts[what]))
        if lasted is None:
            killed[what] += 1
            say(f"{killed.total()}/{options.kills} kills: {dict(killed)}")
        else:
            lasts[what] = lasted
            world.seed += what == "surgery"
        if faults := world.faults():
            print(f"\nafter {what}, kill {killed.total()}:", *faults, sep="\n  ")
            return 1
    print(f"\n{killed.total()} kills, all well: {dict(killed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
