from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from pytest_anchorgate.cli import main
from pytest_anchorgate.engine.transformers import load_model
from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.read import iter_tensors
from pytest_anchorgate.surgery.merge import CONFIG, WEIGHTS, merge_adapter
from tests.tiny import write_tiny_pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("merge") / "base.planck"
    write_tiny_pack(path)
    return path


def adapted(base: Path, *, size: float = 0.1, **changed: Any) -> Any:
    torch.manual_seed(4)
    model: Any = load_model(read_pack(base), device="cpu", dtype="float32")
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", **changed}
    found = get_peft_model(model, LoraConfig(**settings))
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=size)
    return found.eval()


def written(base: Path, folder: Path, **changed: Any) -> tuple[Any, Path]:
    model = adapted(base, **changed)
    model.save_pretrained(folder / "adapter")
    return model, folder / "adapter"


@pytest.mark.parametrize("changed", [{}, {"use_rslora": True}, {"target_modules": ["q_proj"]}])
def test_the_merged_pack_answers_as_base_and_adapter_do(
    base: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    model, adapter = written(base, tmp_path, **changed)
    merge_adapter(base, adapter, tmp_path / "merged.planck")
    merged: Any = load_model(read_pack(tmp_path / "merged.planck"), device="cpu", dtype="float32")
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        beside, within = model(ids).logits, merged(ids).logits
        with model.disable_adapter():
            plain = model(ids).logits
    away = (within - beside).abs().mean()
    assert away < 0.1 * (plain - beside).abs().mean()


def test_each_weight_is_rounded_once(base: Path, tmp_path: Path) -> None:
    model, adapter = written(base, tmp_path)
    merged = merge_adapter(base, adapter, tmp_path / "merged.planck", strength=0.5)
    before = dict(iter_tensors(base))
    moved = 0
    for name, weight in iter_tensors(tmp_path / "merged.planck"):
        layer = model.base_model.model.get_submodule(
            name.removesuffix(".weight").removesuffix(".bias")
        )
        if hasattr(layer, "lora_A") and name.endswith(".weight"):
            change = 0.5 * layer.get_delta_weight("default").detach()
            assert torch.equal(weight, (before[name].float() + change).bfloat16())
            moved += int((weight != before[name]).sum())
        else:
            assert torch.equal(weight, before[name])
    assert merged.moved == moved > 0
    assert merged.survived == pytest.approx(1, abs=0.05)


def test_a_change_too_small_for_bf16_does_not_survive(base: Path, tmp_path: Path) -> None:
    _, adapter = written(base, tmp_path, size=1e-6)
    merged = merge_adapter(base, adapter, tmp_path / "merged.planck")
    assert merged.survived < 0.5
    assert merged.moved < merged.weights / 100


def test_the_pack_says_what_it_was_made_of(base: Path, tmp_path: Path) -> None:
    _, adapter = written(base, tmp_path)
    merge_adapter(base, adapter, tmp_path / "m.planck", strength=0.5, provenance={"rank": "4"})
    said = read_pack(tmp_path / "m.planck").provenance
    assert said["rank"] == "4"
    assert said["strength"] == "0.5"
    assert len(said["base_sha256"]) == len(said["adapter_sha256"]) == 64


def _config(key: str, value: object) -> Callable[[Path], None]:
    def spoil(adapter: Path) -> None:
        path = adapter / CONFIG
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    return spoil


def _weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def spoil(adapter: Path) -> None:
        found = load_file(adapter / WEIGHTS)
        change(found)
        save_file(found, adapter / WEIGHTS)

    return spoil


FIRST = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_config("peft_type", "IA3"), "peft_type = 'IA3' is not 'LORA'"),
        (_config("use_dora", True), "use_dora = True is more than a sum"),
        (_config("bias", "all"), "bias = 'all' is more than a sum"),
        (_config("modules_to_save", ["lm_head"]), r"modules_to_save = \['lm_head'\] is more"),
        (_config("r", 0), "r = 0 is no positive number"),
        (_config("r", 5), "has A and B of .*, not of rank 5"),
        (
            lambda adapter: (adapter / CONFIG).unlink(),
            "adapter_config.json: cannot be read: No such",
        ),
        (lambda adapter: (adapter / CONFIG).write_text("{"), "adapter_config.json: .* is not JSON"),
        (lambda adapter: (adapter / WEIGHTS).write_bytes(b"x"), "safetensors: cannot be read"),
        (_weights(lambda found: found[FIRST].fill_(float("nan"))), "lora_A of .*down_proj.* NaN"),
        (_weights(lambda found: found.pop(FIRST)), "down_proj.weight' has no lora_A"),
        (_weights(lambda found: found.clear()), "holds no LoRA matrix"),
        (
            _weights(
                lambda found: found.update({"base_model.model.x.lora_magnitude": torch.ones(1)})
            ),
            "lora_magnitude' is no LoRA",
        ),
        (
            _weights(
                lambda found: found.update(
                    {
                        "base_model.model.z.lora_A.weight": torch.ones(4, 2),
                        "base_model.model.z.lora_B.weight": torch.ones(2, 4),
                    }
                )
            ),
            "changes 'z.weight', which .* lacks",
        ),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_nothing_is_written(
    base: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    _, adapter = written(base, tmp_path)
    spoil(adapter)
    with pytest.raises(PackError, match=said):
        merge_adapter(base, adapter, tmp_path / "merged.planck")
    assert not list(tmp_path.glob("*.planck"))


def test_an_adapter_of_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    _, adapter = written(base, tmp_path)
    _weights(lambda found: found.update({FIRST: torch.ones(4, 3)}))(adapter)
    with pytest.raises(PackError, match=r"down_proj.weight' as \[32, 3\], and .* has \[32, 64\]"):
        merge_adapter(base, adapter, tmp_path / "merged.planck")


def test_weights_that_overflow_are_refused(base: Path, tmp_path: Path) -> None:
    _, adapter = written(base, tmp_path)
    _weights(lambda found: [one.fill_(3e30) for one in found.values()])(adapter)
    with pytest.raises(PackError, match=r"tensor .* holds NaN or infinity"):
        merge_adapter(base, adapter, tmp_path / "merged.planck")
    assert not list(tmp_path.glob("*.planck"))


def test_the_command_says_what_is_left(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, adapter = written(base, tmp_path)
    assert main(["merge", str(base), str(adapter), str(tmp_path / "m.planck")]) == 0
    said = capsys.readouterr().out
    assert f"m.planck: sha256 {digest_file(tmp_path / 'm.planck')}\n" in said
    assert "% of the change is left after rounding to BF16: " in said
    assert main(["merge", str(base), str(tmp_path), str(tmp_path / "n.planck")]) == 1
    assert "adapter_config.json: cannot be read: No such file" in capsys.readouterr().err
    assert main(["merge", str(base), str(adapter), str(tmp_path)]) == 2
