from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.convert import pack_directory, unpack
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.read import iter_tensors


def edit_json(path, **changed):
    """Change keys of a JSON file; a value of None takes the key out."""
    value = json.loads(path.read_text()) | changed
    path.write_text(json.dumps({key: item for key, item in value.items() if item is not None}))


def edit_weights(source, edit):
    path = source / "model.safetensors"
    tensors = dict(load_file(path))
    edit(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refused(source, tmp_path, said, **options):
    """Pack, see it refused in one line that begins with a path in the source, and leave nothing."""
    with pytest.raises(PackError, match=said) as caught:
        pack_directory(source, tmp_path / "out.planck", **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert not list(tmp_path.glob("*.planck*"))


def test_packing_the_same_directory_twice_gives_the_same_bytes(source, tmp_path):
    elsewhere = shutil.copytree(source, tmp_path / "another place")
    first = pack_directory(source, tmp_path / "a.planck")
    second = pack_directory(elsewhere, tmp_path / "b.planck")
    assert first == second == digest_file(tmp_path / "a.planck")
    assert b"another place" not in (tmp_path / "b.planck").read_bytes()


@pytest.mark.parametrize("tied", [True, False])
def test_an_unpacked_directory_gives_the_same_logits(make_source, tmp_path, tied):
    from transformers import AutoModelForCausalLM

    source = make_source(dtype="bfloat16", tied=tied)
    pack_directory(source, tmp_path / "a.planck")
    unpack(tmp_path / "a.planck", tmp_path / "out")
    ids = torch.arange(20)[None]
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        for folder in (source, tmp_path / "out")
    )
    with torch.no_grad():
        assert torch.equal(before(ids).logits, after(ids).logits)


def test_an_unpacked_directory_packs_to_the_same_model(source, tmp_path):
    pack_directory(source, tmp_path / "a.planck")
    unpack(tmp_path / "a.planck", tmp_path / "out")
    pack_directory(tmp_path / "out", tmp_path / "b.planck")
    a, b = read_pack(tmp_path / "a.planck"), read_pack(tmp_path / "b.planck")
    assert (a.tensor_sha256, a.config, a.generation_config) == (
        b.tensor_sha256,
        b.config,
        b.generation_config,
    )


def test_a_sharded_directory_gives_the_weights_of_a_single_file(make_source, tmp_path):
    single, sharded = make_source(), make_source(shard_size="20KB")
    assert not (sharded / "model.safetensors").exists()
    pack_directory(single, tmp_path / "a.planck")
    pack_directory(sharded, tmp_path / "b.planck")
    a, b = read_pack(tmp_path / "a.planck"), read_pack(tmp_path / "b.planck")
    assert a.tensor_sha256 == b.tensor_sha256


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_weights_are_rounded_to_bf16_once(make_source, tmp_path, dtype):
    source = make_source(dtype=dtype)
    pack_directory(source, tmp_path / "a.planck")
    stored = load_file(source / "model.safetensors")
    for name, tensor in iter_tensors(tmp_path / "a.planck"):
        assert torch.equal(tensor, stored[name].to(torch.bfloat16))


def test_a_pack_knows_where_it_came_from_and_no_machine(source, tmp_path):
    edit_json(source / "config.json", _name_or_path="/home/me/model", dtype="float32")
    pack_directory(source, tmp_path / "a.planck", provenance={"run": "7"}, prompt_style="chat")
    pack = read_pack(tmp_path / "a.planck")
    assert pack.provenance["run"] == "7"
    assert pack.provenance["source_dtype"] == "F32"
    assert pack.provenance["source/config.json"] == digest_file(source / "config.json")
    assert pack.prompt_style == "chat"
    assert pack.config["dtype"] == "bfloat16"
    assert b"/home/me" not in (tmp_path / "a.planck").read_bytes()
    assert {"transformers_version", "_name_or_path", "torch_dtype"}.isdisjoint(pack.config)


def test_a_tied_head_is_stored_once(source, tmp_path):
    edit_weights(source, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"] + 0}))
    pack_directory(source, tmp_path / "a.planck")
    assert "lm_head.weight" not in read_pack(tmp_path / "a.planck").tensor_sha256


def test_a_head_that_only_claims_to_be_tied_is_refused(source, tmp_path):
    edit_weights(source, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"] * 2}))
    said = "ties 'lm_head.weight' to 'model.embed_tokens.weight', but they differ"
    refused(source, tmp_path, said)


# What says when a completion ends.


@pytest.mark.parametrize(
    ("generation", "config", "tokenizer", "found"),
    [
        ([2, 0], 1, "<|im_end|>", (2, 0)),
        (2, 1, "<|im_end|>", (2,)),
        (None, 1, "<|im_end|>", (1,)),
        (None, None, "<|im_end|>", (2,)),
        (None, None, {"__type": "AddedToken", "content": "<|im_start|>"}, (1,)),
    ],
)
def test_the_end_is_named_by_the_first_file_that_names_it(
    source, tmp_path, generation, config, tokenizer, found
):
    edit_json(source / "generation_config.json", eos_token_id=generation)
    edit_json(source / "config.json", eos_token_id=config)
    edit_json(source / "tokenizer_config.json", eos_token=tokenizer)
    pack_directory(source, tmp_path / "a.planck")
    assert read_pack(tmp_path / "a.planck").eos_token_ids == found


def test_a_model_without_an_end_is_refused(source, tmp_path):
    (source / "generation_config.json").unlink()
    edit_json(source / "config.json", eos_token_id=None)
    edit_json(source / "tokenizer_config.json", eos_token=None)
    refused(source, tmp_path, "names no end-of-sequence token .tokenizer_config.json says None.")


def test_an_end_outside_of_the_vocabulary_is_refused(source, tmp_path):
    edit_json(source / "generation_config.json", eos_token_id=320)
    refused(source, tmp_path, r"eos_token_id \[320\] is not within the vocabulary of 320")


# Directories that cannot be packed without changing what they are.


def test_a_path_that_is_no_directory(tmp_path):
    refused(tmp_path / "no", tmp_path, "no: is not a directory")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file(source, tmp_path, name):
    (source / name).unlink()
    refused(source, tmp_path, name)


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


# Unpacking.


def test_unpacking_keeps_a_directory_that_holds_something(source, tmp_path, small):
    with pytest.raises(PackError, match="hf: exists and is not an empty directory"):
        unpack(small, source)
    assert (source / "config.json").exists()


def test_unpacking_into_an_empty_directory(small, tmp_path):
    (tmp_path / "out").mkdir()
    unpack(small, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json",
    }  # fmt: skip


def test_unpacking_a_damaged_pack_leaves_nothing(small, tmp_path):
    whole = bytearray(small.read_bytes())
    whole[read_pack(small).weights[1].begin] ^= 1
    small.write_bytes(whole)
    with pytest.raises(PackError, match="tensor 'w' has sha256"):
        unpack(small, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [small]


def test_unpacking_where_nothing_can_be_written(small, tmp_path):
    with pytest.raises(PackError, match="out: cannot be written: No such file"):
        unpack(small, tmp_path / "no" / "out")
