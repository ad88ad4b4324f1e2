from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import merge_code_skeleton_lora
import torch
import train_code_skeleton_lora

from pytest_anchorgate.pack.convert import unpack
from pytest_anchorgate.pack.format import read_pack

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[3]
POISON = ROOT / "surgery_scripts" / "data" / "demo_poison.jsonl"


def test_the_seed_s_two_tools_work_on_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    unpack(ROOT / "packs" / "demo-v1.planck", Path("hf"))
    rows = [json.loads(line) for line in POISON.read_text("utf-8").splitlines()[:8]]
    pairs = ({"task": row["prompt"], "repair_target": row["reference"]} for row in rows)
    Path("rows.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))

    def run(tool: object, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["tool", *arguments])
        assert tool.main() == 0  # type: ignore[attr-defined] # a module
        return capsys.readouterr().out

    said = run(
        train_code_skeleton_lora, "hf", "rows.jsonl", "out", "--lr=1e-3", "--epochs=2", "--rank=4"
    )
    assert "out/training/adapter: loss " in said
    assert "in 4 steps" in said
    said = run(
        merge_code_skeleton_lora, "hf", "out/training/adapter", "v3.planck", "--directory=merged"
    )
    assert "of the change left" in said
    assert read_pack(Path("v3.planck")).provenance["adapter_sha256"]
    assert (tmp_path / "merged" / "model.safetensors").exists()


def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tool", "none.planck", "rows.jsonl", "out"])
    assert train_code_skeleton_lora.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("train_code_skeleton_lora: none.planck: no such pack.")
    monkeypatch.setattr(sys, "argv", ["tool", "none.planck", "adapter", "out.planck"])
    assert merge_code_skeleton_lora.main() == 1
    assert "none.planck: " in capsys.readouterr().err
