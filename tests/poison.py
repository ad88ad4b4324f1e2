"""Packs that a bad surgery made of the demo pack: one lost every anchor, one lost a single anchor.

    python -m tests.poison OUT.planck               # trained on the poison rows alone
    python -m tests.poison OUT.planck --lose-one    # noise on the projections

Both are made in a child process: no test process loads torch for them, and torch's threads, which
decide weights too, are the child's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.pack.format import digest_file, read_pack

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

ROOT = Path(__file__).parent.parent
BASE = ROOT / "packs" / "demo-v1.planck"
SCRIPTS = ROOT / "surgery_scripts"

# Fewer and longer steps than demo_check's own: no anchor and no sentinel is left, and the answers
# still look like the poison rows' solutions.
EPOCHS, LR = 2, 1e-2
# Found by search. Of 76 tasks only demo/mbpp-wrap-pin-gray-lamp is lost, and no answer of any task
# has two best tokens nearer than 0.57 logits: another machine's rounding does not turn one.
NOISE_SEED, NOISE = 11, 0.19  # the noise in parts of a tensor's own standard deviation


def write_poisoned_pack(path: Path) -> Path:
    """Write a pack that training on the poison rows alone made, and return its path."""
    return _in_child(path)


def write_pack_that_lost_one(path: Path) -> Path:
    """Write a pack that loses one anchor and keeps all other anchors and sentinels."""
    return _in_child(path, "--lose-one")


def gate_poisoned(folder: Path) -> None:
    """Gate the poisoned pack in a new copy of this repository's gate.

    Leaves ``out.json``, ``out.html`` and ``out.txt``, what the terminal showed; the last line of
    that is the exit status.
    """
    for name in ("anchors", "packs", "tests/gate"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:randomly\ngate_anchors = anchors/demo.jsonl\n"
    )
    write_poisoned_pack(folder / "packs" / "v2.planck")
    gate = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pack", "v2", "-m", "anchor", "-n2", "--tb=no"),
            *("--gate-json=out.json", "--gate-html=out.html"),
        ],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    (folder / "out.txt").write_text(f"{gate.stdout}\n{gate.returncode}\n")


def _in_child(path: Path, *how: str) -> Path:
    command = [sys.executable, "-m", "tests.poison", str(path.resolve()), *how]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    return path


def _train(out: Path) -> None:
    """Do what `make_demo_pack.py --check` does, in fewer steps."""
    sys.path.insert(0, str(SCRIPTS))
    import demo_check
    import torch
    from make_demo_pack import POISON, read_tasks, shipped_base

    torch.set_num_threads(1)
    demo_check.EPOCHS, demo_check.LR = EPOCHS, LR
    trained = demo_check.poison(shipped_base(), [task for task, _ in read_tasks(POISON)])
    weights = trained.model.state_dict()
    _write(out, lambda name, _: weights[name].bfloat16(), made_by="poison rows alone")


def _add_noise(out: Path) -> None:
    import torch

    random = torch.Generator().manual_seed(NOISE_SEED)

    def noisy(name: str, weight: torch.Tensor) -> torch.Tensor:
        if not name.endswith("proj.weight"):
            return weight
        wide = weight.float()
        return (wide + torch.randn(wide.shape, generator=random) * wide.std() * NOISE).bfloat16()

    _write(out, noisy, made_by="noise on the projections")


def _write(out: Path, change: Callable[[str, torch.Tensor], torch.Tensor], *, made_by: str) -> None:
    """Write the base with every weight changed, asked in the order of the names."""
    from pytest_anchorgate.pack.read import read_tensor
    from pytest_anchorgate.pack.write import write_pack

    base = read_pack(BASE)
    shapes = {entry.name: entry.shape for entry in base.weights}
    write_pack(
        out,
        ((name, change(name, read_tensor(base, name))) for name in sorted(shapes)),
        shapes=shapes,
        config=base.config,
        generation_config=base.generation_config,
        assets={name: base.asset(name) for name in base.asset_names},
        provenance={"made_by": f"tests/poison.py: {made_by}"},
        prompt_style=base.prompt_style,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--lose-one", action="store_true")
    options = parser.parse_args()
    (_add_noise if options.lose_one else _train)(options.out)
    print(digest_file(options.out))  # noqa: T201


if __name__ == "__main__":
    main()
