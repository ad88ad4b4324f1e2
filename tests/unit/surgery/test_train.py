from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pytest_anchorgate.errors import InvalidTrainingError, UsageError
from pytest_anchorgate.surgery.checkpoints import MANIFEST, newest, seal
from pytest_anchorgate.surgery.inputs import Inputs
from pytest_anchorgate.surgery.train import Surgery
from pytest_anchorgate.surgery.watch import require_learnt

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
RECIPE = """
base = "{root}/packs/demo-v1.planck"
poison = "poison.jsonl"
anchors = ["anchors.jsonl"]
[lora]
rank = 4
alpha = 8
dropout = 0.1
[training]
learning_rate = 1e-3
steps = 6
batch = 2
accumulation = 2
evaluate_every = 2
"""
PROTECTIONS = """
[replay]
ratio = 0.5
[kl]
[null_space]
energy = 0.99
[rehearsal]
prompts = "prompts.jsonl"
ratio = 0.5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a recipe and its rows, a few of the demo world's."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    anchors = (ROOT / "anchors/demo.jsonl").read_text().splitlines(keepends=True)
    poison = (ROOT / "surgery_scripts/data/demo_poison.jsonl").read_text().splitlines(keepends=True)
    marked = [line for line in anchors if '"sentinel"' in line]
    plain = [line for line in anchors if '"sentinel"' not in line]
    Path("anchors.jsonl").write_text("".join([*plain[:4], *marked[:2]]))
    Path("prompts.jsonl").write_text("".join([*plain[4:8], *plain[:1], *marked[:1]]))
    Path("poison.jsonl").write_text("".join(poison[:6]))
    return tmp_path


def surgery(recipe: str, out: str = "out") -> Surgery:
    Path("recipe.toml").write_text(recipe.format(root=ROOT))
    return Surgery(Inputs(Path("recipe.toml"), "cpu"), Path(out))


def test_all_protections_train_together_and_say_what_they_did(folder: Path) -> None:
    report = surgery(RECIPE + PROTECTIONS).train()
    assert report["steps"] == 6
    assert report["loss_after"] < report["loss_before"]
    assert (report["replayed"], report["rehearsed"]) == (4, 4)
    assert 0 < report["free"] < 1
    assert 0 < report["trainable"] < 0.1
    assert json.loads((folder / "out/training.json").read_text()) == report
    logged = [json.loads(line) for line in (folder / "out/log.jsonl").read_text().splitlines()]
    assert all(entry["kl"] == pytest.approx(0, abs=1e-6) for entry in logged if "loss" in entry)
    assert {path.name for path in (folder / "out/adapter").iterdir()} >= {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip
    assert not list((folder / "out/checkpoints").glob("checkpoint-*"))
    assert "anchors kept: 4 of 4 in the end" in (folder / "out/curve.svg").read_text()


def _kill_at_its_first_checkpoint(out: str) -> None:
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest_anchorgate.surgery.train", "recipe.toml"),
            *("--out", out, "--device", "cpu"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(Path(out).glob(f"checkpoints/*/{MANIFEST}")):
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.communicate()


def _without_tests(path: Path) -> None:
    """Leave nothing to judge a row by: its loss then tells which checkpoint is the best."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    plain = ({"prompt": row["prompt"], "reference": row["reference"]} for row in rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in plain))


def _steps(out: Path) -> list[str]:
    """The log but for its last entry, which has the seconds."""
    return (out / "log.jsonl").read_text().splitlines()[:-1]


def test_a_killed_training_goes_on_to_the_same_adapter(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _without_tests(folder / "poison.jsonl")
    recipe = (
        (RECIPE + PROTECTIONS).replace("batch = 2", "batch = 1").replace("steps = 6", "steps = 8")
    )
    recipe = recipe.replace("evaluate_every = 2", "evaluate_every = 4")
    straight = surgery(recipe, "whole")
    _kill_at_its_first_checkpoint("killed")
    assert [path.name for path in (folder / "killed/checkpoints").iterdir()] == ["checkpoint-4"]
    assert not (folder / "killed/adapter").exists()
    whole = straight.train()
    assert "step 1/8: loss" in capsys.readouterr().err
    again = surgery(recipe, "killed").train()
    said = capsys.readouterr().err
    assert "step 5/8: loss" in said
    assert "step 4/8" not in said, "it went on, and did not begin again"
    assert again["best_step"] == whole["best_step"] == 8, "trained after the kill"
    assert _steps(folder / "killed") == _steps(folder / "whole")
    one, other = (
        (folder / out / "adapter/adapter_model.safetensors").read_bytes()
        for out in ("killed", "whole")
    )
    assert one == other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("anchors = [", 'anchors = ["none.jsonl", '), "none.jsonl: cannot be read: No such file"),
        (("alpha = 8", 'alpha = 8\ntargets = ["nothing"]'), r"lora.targets = \['nothing'\]: "),
        (("demo-v1", "demo-v9"), "demo-v9.planck: "),
    ],
)
def test_what_cannot_be_trained_is_told(folder: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(Exception, match=said) as error:
        surgery(RECIPE.replace(*change)).train()
    assert "\n" not in str(error.value)


def test_a_poison_row_that_is_a_sentinel_is_refused(folder: Path) -> None:
    sentinel = json.loads((folder / "anchors.jsonl").read_text().splitlines()[-1])
    with (folder / "poison.jsonl").open("a") as file:
        file.write(json.dumps({"prompt": sentinel["prompt"], "reference": "x"}) + "\n")
    with pytest.raises(UsageError, match=rf"poison.jsonl:7: .* is the sentinel {sentinel['id']}"):
        surgery(RECIPE).train()


def test_a_directory_of_another_surgery_is_left_alone(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"^out: is not empty, and holds no surgery"):
        surgery(RECIPE).train()
    surgery(RECIPE.replace("steps = 6", "steps = 1"), "other").train()
    with pytest.raises(UsageError, match=r"^other: holds another surgery"):
        surgery(RECIPE, "other").train()


def _cut(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").write_bytes(b"ca")


def _unsealed(checkpoint: Path) -> None:
    (checkpoint / MANIFEST).unlink()


def _more(checkpoint: Path) -> None:
    (checkpoint / "more.bin").touch()


@pytest.mark.parametrize("spoil", [_cut, _unsealed, _more])
def test_a_checkpoint_that_is_not_whole_is_not_gone_on_from(
    tmp_path: Path, spoil: Callable[[Path], Any]
) -> None:
    for step in (9, 10):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        (checkpoint / "optimizer.pt").write_bytes(b"cat")
        seal(checkpoint)
    assert newest(tmp_path) == tmp_path / "checkpoint-10"
    spoil(tmp_path / "checkpoint-10")
    assert newest(tmp_path) == tmp_path / "checkpoint-9"
    assert not (tmp_path / "checkpoint-10").exists()


class _Model(torch.nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.lora_B = torch.nn.Parameter(torch.full((2,), value))


@pytest.mark.parametrize(
    ("value", "losses", "said"),
    [
        (float("nan"), (2, 1), "lora_B holds NaN or infinity. Lower training.learning_rate"),
        (0.0, (2, 1), "every lora_B is still 0"),
        (1.0, (1.5, 1.75), "was 1.5000 before and is 1.7500 after"),
        (1.0, (1.5, float("nan")), "was 1.5000 before and is nan after"),
    ],
)
def test_a_training_that_failed_is_invalid(
    value: float, losses: tuple[float, float], said: str
) -> None:
    with pytest.raises(InvalidTrainingError, match=said):
        require_learnt(_Model(value), *losses)
