from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.unit.pack.sources import edit_json, edit_weights, refused

# Directories that cannot be packed without changing what they are.


def test_a_path_that_is_no_directory(tmp_path):
    refused(tmp_path / "no", tmp_path, "no: is not a directory")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file(source, tmp_path, name):
    (source / name).unlink()
    refused(source, tmp_path, name)


def test_a_file_that_cannot_be_read(source, tmp_path):
    (source / "generation_config.json").unlink()
    (source / "generation_config.json").mkdir()
    refused(source, tmp_path, "generation_config.json: cannot be read: Is a directory")


def test_pickled_weights(source, tmp_path):
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    refused(source, tmp_path, r"only as pickle \(pytorch_model.bin\)")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_from_the_model_s_author(source, tmp_path, name):
    edit_json(source / name, auto_map={"AutoModel": "modeling.Evil"})
    refused(source, tmp_path, rf"{name}: auto_map asks for code .* \(AutoModel\)")


def test_quantized_weights(source, tmp_path):
    edit_json(source / "config.json", quantization_config={"quant_method": "awq"})
    refused(source, tmp_path, r"quantized \(awq\)")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_git_lfs_pointer(source, tmp_path, name):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 99\n"
    (source / name).write_text(text)
    refused(source, tmp_path, f"{name}: is a Git LFS pointer to a file of 99 bytes")


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn, torch.float64])
def test_weights_that_are_no_plain_floats(source, tmp_path, dtype):
    edit_weights(source, lambda t: t.update({"model.norm.weight": torch.ones(16).to(dtype)}))
    refused(source, tmp_path, r"tensor 'model.norm.weight' has dtype (I8|F8_E4M3|F64)\. Pack")


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 3.4e38])
def test_weights_that_are_not_finite_in_bf16(source, tmp_path, value):
    def break_one(tensors):
        tensors["model.norm.weight"][3] = value

    edit_weights(source, break_one)
    refused(source, tmp_path, rf"tensor 'model.norm.weight' holds {str(value)[:2]}")


def test_a_tensor_that_is_missing(source, tmp_path):
    edit_weights(source, lambda t: t.pop("model.layers.1.mlp.up_proj.weight"))
    said = "lacks the tensor 'model.layers.1.mlp.up_proj.weight' of Qwen2ForCausalLM"
    refused(source, tmp_path, said)


def test_a_tensor_that_nobody_asked_for(source, tmp_path):
    edit_weights(source, lambda t: t.update(x=torch.ones(1), y=torch.ones(1)))
    said = r"tensor 'x' \(and 1 more\) does not belong to Qwen2ForCausalLM"
    refused(source, tmp_path, said)


def test_a_tensor_of_another_shape(source, tmp_path):
    edit_weights(source, lambda t: t.update({"model.norm.weight": torch.ones(17)}))
    said = r"'model.norm.weight' has shape \[17\], its config says \[16\]"
    refused(source, tmp_path, said)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_type": "nonsense"}, "model_type 'nonsense' is unknown to transformers"),
        ({"model_type": "vit"}, "no model of type 'vit' comes of it"),
        ({"hidden_size": "many"}, "no model of type 'qwen2' comes of it: .*hidden_size"),
        ({"architectures": ["Qwen2Model"]}, r"architectures \['Qwen2Model'\], not \['Qwen2For"),
    ],
)
def test_a_config_that_gives_no_such_model(source, tmp_path, changed, said):
    edit_json(source / "config.json", **changed)
    refused(source, tmp_path, said)


def test_a_config_that_is_no_json(source, tmp_path):
    (source / "config.json").write_text("{'a': 1}")
    refused(source, tmp_path, "config.json: is not valid JSON")


@pytest.mark.parametrize(
    ("weight_map", "said"),
    [
        (None, "has no weight_map"),
        ({"model.norm.weight": "../x"}, r"'model.norm.weight' lies in '../x'"),
        ({"x": "a.safetensors"}, "'model.embed_tokens.weight' should lie in None, but lies in a.s"),
    ],
)
def test_an_index_that_does_not_fit_its_shards(source, tmp_path, weight_map, said):
    (source / "model.safetensors").rename(source / "a.safetensors")
    index = {"weight_map": weight_map} if weight_map else {}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(source, tmp_path, said)


def test_a_tensor_in_two_shards(source, tmp_path):
    tensors = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    save_file(tensors, source / "a.safetensors")
    extra = {"model.norm.weight": torch.ones(16), "z": torch.ones(1)}
    save_file(extra, source / "b.safetensors")
    index = dict.fromkeys(tensors, "a.safetensors") | dict.fromkeys(extra, "b.safetensors")
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    refused(source, tmp_path, "b.safetensors: tensor 'model.norm.weight' also lies in a.safe")


def test_a_prompt_style_that_is_none(source, tmp_path):
    refused(source, tmp_path, "--prompt poem: no such style", prompt_style="poem")


def test_chat_needs_a_template(source, tmp_path):
    (source / "chat_template.jinja").unlink()
    refused(source, tmp_path, "'chat' needs a chat template", prompt_style="chat")
