from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pytest_anchorgate.engine.transformers import load_model
from pytest_anchorgate.errors import InvalidTrainingError, PackError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.provenance import trained_on
from pytest_anchorgate.surgery import fold as folding
from pytest_anchorgate.surgery.fold import CANDIDATE, REPORT, compare_logits, fold
from pytest_anchorgate.surgery.merge import WEIGHTS, merge_adapter
from tests.surgeries import (
    DEMO,
    TRAINING,
    read_inputs,
    write_adapter,
    write_rows,
    write_solved_poison,
)
from tests.tiny import write_tiny_pack

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.surgery.inputs import Inputs

DIAL = "[dial]\nstrengths = [0.5, 1.0]\n"
CHANGED = "base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder: Path = tmp_path_factory.mktemp("fold")
    write_rows(folder)
    write_solved_poison(folder)
    write_adapter(DEMO, folder / "out/adapter", size=0.22)
    return folder


@pytest.fixture(scope="module")
def folded(folder: Path) -> tuple[Inputs, dict[str, Any]]:
    inputs = read_inputs(folder, DIAL + TRAINING + "[replay]")
    return inputs, fold(inputs, folder / "out/adapter", folder / "out")


def test_the_report_says_what_the_candidate_is(
    folded: tuple[Inputs, dict[str, Any]], folder: Path
) -> None:
    _, report = folded
    assert json.loads((folder / "out" / REPORT).read_text()) == report
    assert report["sha256"] == digest_file(folder / "out" / CANDIDATE)
    assert report["strength"] == 0.5
    assert 0.9 < report["survived"] < 1.1
    assert 0 < report["moved"] <= report["weights"]
    assert 0 < report["difference"] < 0.05
    assert (report["anchors_kept"], report["anchors"]) == (4, 4)
    assert (report["poison_solved"], report["poison"]) == (3, 6)
    assert [one["strength"] for one in report["dial"]] == [0.5, 1.0]
    assert [one["anchors_kept"] for one in report["dial"]] == [4, 3]
    assert report["dial"][0]["margin"] == pytest.approx(report["margin"], abs=1e-4)


def test_the_candidate_says_how_it_was_made(
    folded: tuple[Inputs, dict[str, Any]], folder: Path
) -> None:
    inputs, _ = folded
    pack = read_pack(folder / "out" / CANDIDATE)
    said = pack.provenance
    assert (said["recipe"], said["strength"], said["poison_rows"]) == ("recipe", "0.5", "6")
    assert said["base_sha256"] == digest_file(DEMO)
    assert said["adapter_sha256"] == digest_file(folder / "out/adapter" / WEIGHTS)
    assert said["protections"] == "replay 1"
    ids = {row.id for row in inputs.rows} | {task.id for task in inputs.anchors}
    assert set(trained_on(pack)) == ids | set(trained_on(read_pack(DEMO)))


def test_another_pack_than_base_and_adapter_is_refused_with_its_numbers(
    folded: tuple[Inputs, dict[str, Any]], folder: Path
) -> None:
    inputs, _ = folded
    base = load_model(read_pack(DEMO), device="cpu", dtype="float32")
    said = (
        r"adapter: logits of the merged pack differ from base \+ adapter by [\d.]+ % of their "
        r"norm, and by ([\d.]+) where the adapter changes them by ([\d.]+)\. Merge it again\.$"
    )
    with pytest.raises(InvalidTrainingError, match=said) as error:
        compare_logits(inputs, folder / "out/adapter", base, strength=1.0)
    found = re.search(said, str(error.value))
    assert found
    assert float(found[1]) == float(found[2]) > 1, "the base is without the whole change"


def test_an_adapter_that_changed_after_the_merge_is_noticed(
    folded: tuple[Inputs, dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    inputs, _ = folded
    adapter = write_adapter(DEMO, tmp_path / "adapter", size=0.22)
    merge_adapter(DEMO, adapter, tmp_path / "merged.planck")
    merged = load_model(read_pack(tmp_path / "merged.planck"), device="cpu", dtype="float32")
    assert compare_logits(inputs, adapter, merged, strength=1.0) < 0.05
    with pytest.raises(InvalidTrainingError, match=r"where the adapter changes them by"):
        compare_logits(inputs, adapter, merged, strength=-1.0)
    _change(adapter, lambda found: {name: -one for name, one in found.items() if "_A" in name})
    with pytest.raises(InvalidTrainingError, match=r"where the adapter changes them by"):
        compare_logits(inputs, adapter, merged, strength=1.0)


def _change(adapter: Path, change: Any) -> None:
    found = load_file(adapter / WEIGHTS)
    save_file(found | change(found), adapter / WEIGHTS)


def test_the_recipe_may_name_an_adapter_trained_elsewhere(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inputs = read_inputs(folder, f'adapter = "{folder}/out/adapter"')
    monkeypatch.setattr("sys.argv", ["fold", str(inputs.path), "--out", str(tmp_path / "new")])
    assert folding.main() == 0
    report = json.loads(capsys.readouterr().out)
    assert report["strength"] == 1.0
    assert report["dial"] == []
    pack = read_pack(tmp_path / "new" / CANDIDATE)
    assert pack.provenance["adapter"] == f"{folder}/out/adapter"
    assert "rank" not in pack.provenance


def test_without_anchors_there_is_only_the_merge(folder: Path, tmp_path: Path) -> None:
    inputs = read_inputs(folder, anchored=False)
    report = fold(inputs, folder / "out/adapter", tmp_path / "new")
    assert (report["anchors"], report["poison"]) == (0, 6)
    assert (tmp_path / "new" / CANDIDATE).exists()


def test_an_adapter_of_another_base_is_refused_before_anything_is_asked(
    folder: Path, tmp_path: Path
) -> None:
    tiny = tmp_path / "tiny.planck"
    write_tiny_pack(tiny)
    adapter = write_adapter(tiny, tmp_path / "adapter", size=0.1)
    with pytest.raises(PackError, match=r"adapter: changes 'model.layers.0.*' as \[32, 64\], and"):
        fold(read_inputs(folder), adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'adapter = "{nan}"',
            "nan: lora_B of 'model.layers.1.self_attn.k_proj.weight' holds NaN or infinity. Train",
        ),
        ("adapter = 3", "recipe.toml: adapter = 3: Expected"),
        ('adapter = "nowhere"', "nowhere/adapter_config.json: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_folded_is_exit_status_2(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    keys: str,
    said: str,
) -> None:
    nan = tmp_path / "nan"
    shutil.copytree(folder / "out/adapter", nan)
    _change(nan, lambda found: {CHANGED: torch.full_like(found[CHANGED], float("nan"))})
    inputs = read_inputs(folder, keys.format(nan=nan))
    monkeypatch.setattr("sys.argv", ["fold", str(inputs.path), "--out", str(tmp_path / "new")])
    assert folding.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("anchorgate: ")
    assert said in line
    assert not (tmp_path / "new").exists()
