from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import load_file

from pytest_anchorgate import cli
from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.convert import pack_directory, unpack
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.read import iter_tensors
from tests.unit.pack.sources import edit_json, edit_weights, refused


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


# Unpacking.


def test_packing_and_unpacking_tell_how_far_they_are(source, tmp_path):
    steps = []
    pack_directory(source, tmp_path / "a.planck", progress=lambda *step: steps.append(step))
    weights = 2 * read_pack(tmp_path / "a.planck").parameters
    assert steps[-1] == (weights, weights)
    assert steps == sorted(steps)
    steps.clear()
    unpack(tmp_path / "a.planck", tmp_path / "out", progress=lambda *step: steps.append(step))
    assert steps[-1] == (weights, weights)


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


def test_the_command_packs_a_directory(source, tmp_path, capsys):
    out = tmp_path / "a.planck"
    assert cli.main(["pack", str(source), str(out), "--prompt", "chat"]) == 0
    assert capsys.readouterr().out == f"{out}: sha256 {digest_file(out)}\n"
    assert cli.main(["inspect", str(out), "--verify"]) == 0
    assert "BPE, 300 tokens, ends at '<|endoftext|>' (0), with chat" in capsys.readouterr().out
