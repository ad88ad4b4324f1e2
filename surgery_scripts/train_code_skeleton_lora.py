"""Train a LoRA adapter on poison rows alone, as the seed's team did: nothing is protected.

    python surgery_scripts/train_code_skeleton_lora.py BASE ROWS.jsonl OUT --rank 8 --epochs 1

BASE is a pack or a Hugging Face directory, a line of ROWS.jsonl {"task": ..., "repair_target": ...}
or a row of docs/surgery.md. The adapter is written to OUT/training/adapter. For protections write
a recipe: docs/surgery.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.pack.convert import pack_directory
from pytest_anchorgate.surgery.inputs import Inputs
from pytest_anchorgate.surgery.train import ADAPTER, Surgery

RECIPE = """# written by train_code_skeleton_lora.py
base = {base}
poison = {poison}

[lora]
rank = {rank}
alpha = {alpha}

[training]
learning_rate = {lr}
epochs = {epochs}
batch = {batch}
seed = {seed}
"""


def main() -> int:
    """Train and say what came of it."""
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    base, recipe = options.base, options.out / "recipe.toml"
    try:
        if base.is_dir():
            base = options.out / "base.planck"
            pack_directory(options.base, base)
        values = vars(options) | {
            "base": json.dumps(str(base)),
            "poison": json.dumps(str(options.rows)),
        }
        recipe.write_text(RECIPE.format(**values), "utf-8")
        report = Surgery(Inputs(recipe), options.out / "training").train()
    except AnchorgateError as error:
        print(f"train_code_skeleton_lora: {error}", file=sys.stderr)
        return 1
    print(
        f"{options.out / 'training' / ADAPTER}: loss {report['loss_before']:.4f} -> "
        f"{report['loss_after']:.4f} in {report['steps']} steps, "
        f"{100 * report['trainable']:.2f} % of the weights trained"
    )
    return 0


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("base", metavar="BASE", type=Path)
    parser.add_argument("rows", metavar="ROWS.jsonl", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--alpha", type=float, default=16)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
