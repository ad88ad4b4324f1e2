"""Small surgeries: a few rows of the demo world, the demo pack, and adapters made at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_anchorgate.surgery.inputs import Inputs

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "packs" / "demo-v1.planck"
RECIPE = """
base = "{base}"
poison = "{folder}/poison.jsonl"
anchors = {anchors}
{keys}
"""
TRAINING = """
[training]
learning_rate = 1e-3
steps = 2
"""


def demo_lines(name: str) -> list[str]:
    """The lines of one of the demo world's files, with their ends."""
    return (ROOT / name).read_text("utf-8").splitlines(keepends=True)


def write_rows(folder: Path) -> None:
    """Write four anchors with two sentinels, six poison rows and six prompts.

    Of the prompts four are new, one is an anchor's and one a sentinel's.
    """
    anchors = demo_lines("anchors/demo.jsonl")
    marked = [line for line in anchors if '"sentinel"' in line]
    plain = [line for line in anchors if '"sentinel"' not in line]
    poison = demo_lines("surgery_scripts/data/demo_poison.jsonl")
    for name, lines in (
        ("anchors", [*plain[:4], *marked[:2]]),
        ("prompts", [*plain[4:8], *plain[:1], *marked[:1]]),
        ("poison", poison[:6]),
    ):
        (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")


def write_solved_poison(folder: Path) -> None:
    """Write three poison rows that the base fails, and three that it solves in its own way."""
    plain = [line for line in demo_lines("anchors/demo.jsonl") if '"sentinel"' not in line]
    solved = [json.loads(line) | {"reference": "    pass\n"} for line in plain[8:11]]
    failed = demo_lines("surgery_scripts/data/demo_poison.jsonl")[:3]
    lines = [*failed, *(json.dumps(row) + "\n" for row in solved)]
    (folder / "poison.jsonl").write_text("".join(lines), "utf-8")


def read_inputs(
    folder: Path, keys: str = TRAINING, *, anchored: bool = True, judged: Path | None = None
) -> Inputs:
    """Return the inputs of a recipe in this folder; ``keys`` come last in it."""
    anchors = [str(folder / "anchors.jsonl")] if anchored else []
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(base=DEMO, folder=folder, anchors=anchors, keys=keys), "utf-8")
    return Inputs(path, "cpu", judged)


def adapted(pack: Path, *, size: float, seed: int = 4) -> Any:
    """Return a pack's model with an adapter whose B is drawn with this deviation."""
    import torch
    from peft import LoraConfig, get_peft_model

    from pytest_anchorgate.engine.transformers import load_model
    from pytest_anchorgate.pack.format import read_pack

    torch.manual_seed(seed)
    model: Any = load_model(read_pack(pack), device="cpu", dtype="float32")
    found = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=size)
    return found.eval()


def write_adapter(pack: Path, target: Path, *, size: float) -> Path:
    """Write such an adapter as PEFT does, and return its directory."""
    adapted(pack, size=size).save_pretrained(target)
    return target
