from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tracemalloc

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import chat_template, digest_file, read_pack
from pytest_anchorgate.pack.read import iter_tensors


def header_of(path):
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return raw[8 : 8 + length], raw[8 + length :]


def write_raw(path, header, data=b""):
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def test_a_pack_says_what_it_is(small):
    pack = read_pack(small)
    assert (pack.architecture, pack.parameters, pack.context) == ("TinyForCausalLM", 7, 8)
    assert (pack.eos_token_ids, pack.tied, pack.prompt_style, pack.format) == ((3,), True, None, 1)
    assert pack.size == small.stat().st_size
    assert pack.provenance == {"made": "by hand"}
    assert [entry.name for entry in pack.weights] == ["b", "w"]
    assert pack.asset_names == ("chat_template.jinja", "tokenizer.json")
    assert pack.asset("tokenizer.json") == b'{"version":"1.0"}'
    assert pack.asset_size("tokenizer.json") == 17


def test_an_unknown_asset_names_those_that_are_there(small):
    with pytest.raises(PackError, match=r"no asset 'vocab.txt'. Its assets are: chat_template"):
        read_pack(small).asset("vocab.txt")


def test_the_digest_of_a_pack_is_the_sha256_of_its_bytes(small):
    assert digest_file(small) == hashlib.sha256(small.read_bytes()).hexdigest()


def test_any_safetensors_reader_opens_a_pack(small):
    from safetensors import safe_open

    with safe_open(small, "pt") as file:
        assert file.offset_keys() == [
            "b",
            "w",
            "assets/chat_template.jinja",
            "assets/tokenizer.json",
        ]
        assert file.get_tensor("w").tolist() == [[1, -2, 0.5], [3, 0, -0.125]]
        assert file.metadata().keys() == {"planck"}


def test_every_weight_lies_at_an_even_offset(small):
    assert all(entry.begin % 2 == 0 for entry in read_pack(small).weights)


@pytest.mark.parametrize(
    ("files", "template"),
    [
        ({"chat_template.jinja": b"A", "tokenizer_config.json": b'{"chat_template":"B"}'}, "A"),
        ({"tokenizer_config.json": b'{"chat_template":"B"}'}, "B"),
        (
            {
                "tokenizer_config.json": b'{"chat_template":[{"name":"tool","template":"C"},'
                b'{"name":"default","template":"D"}]}'
            },
            "D",
        ),
        ({"tokenizer_config.json": b"{}"}, None),
        ({}, None),
    ],
)
def test_the_chat_template_comes_from_its_file_or_the_tokenizer_config(
    tmp_path, write_small, files, template
):
    assert chat_template(read_pack(write_small(tmp_path / "a.planck", assets=files))) == template


def test_reading_a_header_imports_no_torch():
    code = (
        "import sys; import pytest_anchorgate.pack.format, pytest_anchorgate.pack.locate,"
        "pytest_anchorgate.pack.production, pytest_anchorgate.cli;"
        "print([n for n in ('torch', 'numpy', 'transformers') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


# What cannot be a pack at all.


def refused(path):
    with pytest.raises(PackError) as caught:
        read_pack(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert line.endswith(".")
    return line.removeprefix(f"{path}: ")


def test_a_missing_file(tmp_path):
    assert refused(tmp_path / "no.planck").startswith("cannot be read: No such file or directory.")


def test_a_file_without_permission(small, monkeypatch):
    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", deny)
    assert refused(small) == "cannot be read: Permission denied. Give a readable file."


def test_an_empty_file(tmp_path):
    (tmp_path / "a.planck").touch()
    assert "holds 0 bytes, fewer than the 8" in refused(tmp_path / "a.planck")


def test_a_directory(tmp_path):
    assert refused(tmp_path) == "is a directory, not a pack. Give a .planck file."


def test_a_model_directory_names_the_command_that_packs_it(source):
    assert f"Run `anchorgate pack {source} packs/hf.planck`" in refused(source)


def test_a_device(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert refused(tmp_path / "fifo") == "is not a regular file. Give a file on a disk."


def test_a_git_lfs_pointer(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    (tmp_path / "a.planck").write_text(text)
    line = refused(tmp_path / "a.planck")
    assert line.startswith("is a Git LFS pointer to a file of 12345 bytes")
    assert "`git lfs pull`" in line


def test_a_safetensors_file_that_is_no_pack(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "m.safetensors", metadata={"format": "pt"})
    assert "no pack: its metadata keys are format, not planck" in refused(
        tmp_path / "m.safetensors"
    )


def test_a_header_longer_than_the_file_allocates_nothing(tmp_path):
    (tmp_path / "a.planck").write_bytes((90_000_000).to_bytes(8, "little") + b"{}")
    tracemalloc.start()
    line = refused(tmp_path / "a.planck")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "its header has 90000000 bytes, but holds 10 in all" in line
    assert peak < 1_000_000


def test_a_header_beyond_every_limit(tmp_path):
    (tmp_path / "a.planck").write_bytes(b"\xff" * 8 + b"{}")
    assert f"has {2**64 - 1} bytes, over the limit of 100000000 bytes" in refused(
        tmp_path / "a.planck"
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"\xff\xfe", "the header is not UTF-8 (byte 0)"),
        (b"{", "the header is not valid JSON: Expecting property name"),
        (b"[]", "the header is a JSON list, not an object"),
        (b'{"a":1,"a":2}', "key 'a' appears twice"),
        (b'{"a":NaN}', "NaN is not a number"),
        (b'{"a":-Infinity}', "-Infinity is not a number"),
        (b'{"a":1e999}', "1e999 is out of range"),
        (b"[" * 200_000, "the header is nested too deeply"),
        (b'{"a":' + b"9" * 5000 + b"}", "the header is not valid JSON: Exceeds the limit"),
        (b'{"__metadata__":{"a":1}}', "its __metadata__ is not an object of strings"),
        (b'{"a":1}', "tensor 'a' does not have exactly dtype, shape and data_offsets"),
    ],
)
def test_a_header_that_is_no_table(tmp_path, header, said):
    assert said in refused(write_raw(tmp_path / "a.planck", header))


def entry(**changed):
    return {"data_offsets": [0, 4], "dtype": "BF16", "shape": [2], **changed}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (entry(dtype="F12"), "tensor 'a' has the unknown dtype 'F12'"),
        (entry(dtype=["BF16"]), "tensor 'a' has the unknown dtype ['BF16']"),
        (entry(shape=[3]), "tensor 'a': shape [3] of BF16 needs 6 bytes, its data_offsets 4"),
        (entry(shape=[-2]), "tensor 'a' has the shape [-2], which cannot be"),
        (entry(shape=[True]), "tensor 'a' has the shape [True], which cannot be"),
        (entry(shape=2), "tensor 'a' has the shape 2, which cannot be"),
        (entry(shape=[1] * 9), "which cannot be"),
        (entry(shape=[2**80, 0]), f"tensor 'a' has the shape [{2**80}, 0], which cannot be"),
        (entry(data_offsets=[4, 0]), "tensor 'a' has the data_offsets [4, 0]"),
        (entry(data_offsets=[0, 4, 8]), "tensor 'a' has the data_offsets [0, 4, 8]"),
        (entry(data_offsets=[-4, 0]), "tensor 'a' has the data_offsets [-4, 0]"),
        (entry(data_offsets=[4, 8]), "bytes 64 to 68 before tensor 'a' belong to none"),
    ],
)
def test_a_tensor_that_cannot_be(tmp_path, value, said):
    header = json.dumps({"a": value}, separators=(",", ":")).encode()
    header = header.ljust(56) if "belong" in said else header
    assert said in refused(write_raw(tmp_path / "a.planck", header, b"\0" * 8))


def test_a_shape_that_claims_terabytes_allocates_nothing(tmp_path):
    huge = entry(shape=[2**40], data_offsets=[0, 2**41])
    path = write_raw(tmp_path / "a.planck", json.dumps({"a": huge}).encode(), b"\0" * 8)
    assert "but the file has" in refused(path)


# What was a pack once.


def test_a_truncated_pack(small):
    whole = small.read_bytes()
    small.write_bytes(whole[:-1])
    assert f"ends at byte {len(whole)}, but the file has {len(whole) - 1} bytes" in refused(small)


def test_a_pack_with_bytes_behind_it(small):
    whole = small.read_bytes()
    small.write_bytes(whole + b"x")
    assert f"has {len(whole) + 1} bytes, but its tensors end at byte {len(whole)}" in refused(small)


def test_a_flipped_bit_in_any_byte_of_the_header_is_refused(small):
    header, _ = header_of(small)
    with small.open("r+b", buffering=0) as file:
        for at in range(8 + len(header)):
            byte = os.pread(file.fileno(), 1, at)[0]
            os.pwrite(file.fileno(), bytes([byte ^ 1 << at * 5 % 8]), at)
            refused(small)
            os.pwrite(file.fileno(), bytes([byte]), at)
    read_pack(small).verify()


def test_a_flipped_bit_in_the_padding_is_refused_by_the_checksum(small, write_small):
    write_small(small, provenance={"made": "by hand."})  # one byte longer than a multiple of 8
    header, data = header_of(small)
    assert header.endswith(b" ")
    write_raw(small, header[:-1] + b"\t", data)
    assert "its header has checksum " in refused(small)


def test_every_flipped_bit_of_the_data_names_its_tensor(small):
    header, data = header_of(small)
    pack = read_pack(small)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 0x10
        write_raw(small, header, bytes(broken))
        place = 8 + len(header) + at
        hit = next(entry.name for entry in pack.tensors if entry.begin <= place < entry.end)
        with pytest.raises(PackError, match=f"tensor '{hit}' has sha256 [0-9a-f]{{12}}"):
            read_pack(small).verify()


def test_a_flipped_bit_in_an_asset_is_found_when_it_is_asked_for(small):
    whole = small.read_bytes()
    small.write_bytes(whole[:-1] + b"!")
    with pytest.raises(PackError, match=r"tensor 'assets/tokenizer.json' has sha256"):
        read_pack(small).asset("tokenizer.json")


def test_a_renamed_tensor_is_refused_by_the_checksum(small):
    header, data = header_of(small)
    write_raw(small, header.replace(b',"w":{', b',"v":{'), data)
    assert "its header has checksum " in refused(small)


# What a wrong writer sealed.


def test_a_renamed_tensor_is_refused_by_the_digests_too(forge):
    path = forge(lambda table, planck: table.update(v=table.pop("w")))
    assert "tensor 'v' has no sha256" in refused(path)


def test_a_tensor_that_was_left_out(forge):
    path = forge(lambda table, planck: planck["sha256"].update(z="0" * 64))
    assert "tensor 'z' has a sha256 but no data" in refused(path)


def test_overlapping_tensors(forge):
    path = forge(lambda table, planck: table["w"].update(data_offsets=[0, 12]))
    assert "begins at byte " in refused(path)
    assert "inside the tensor before it" in refused(path)


def test_data_in_another_order(forge):
    def swap(table, planck):
        table["b"]["data_offsets"], table["w"]["data_offsets"] = [12, 14], [0, 12]

    assert "tensor 'w' lies where 'b' belongs" in refused(forge(swap))


def test_a_weight_of_another_dtype(forge):
    path = forge(lambda table, planck: table["w"].update(dtype="F16"))
    assert "tensor 'w' has dtype F16; a pack's weights are BF16" in refused(path)


def test_an_asset_of_another_dtype(forge):
    path = forge(lambda table, planck: table["assets/tokenizer.json"].update(dtype="I8"))
    assert "tensor 'assets/tokenizer.json' has dtype I8; an asset is U8" in refused(path)


def test_an_asset_that_would_leave_its_directory(forge):
    def escape(table, planck):
        table["assets/../x"] = table.pop("assets/tokenizer.json")
        planck["sha256"]["assets/../x"] = planck["sha256"].pop("assets/tokenizer.json")

    assert "asset 'assets/../x' is not a plain file name" in refused(forge(escape))


def test_a_newer_format(forge):
    path = forge(lambda table, planck: planck.update(format=2))
    line = "is a pack of format 2; this anchorgate reads format 1. Upgrade pytest-anchorgate"
    assert refused(path).startswith(line)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": True}, "its format is True, not 1"),
        ({"format": "1"}, "its format is '1', not 1"),
        ({"surprise": 1}, "the unknown key 'surprise'"),
        ({"config": []}, "its config is [], not an object"),
        ({"provenance": {"a": 1}}, "its provenance is not an object of strings"),
        ({"sha256": []}, "its sha256 is not an object of strings"),
        ({"prompt_style": "poem"}, "its prompt_style is 'poem', none of docstring, paper"),
        ({"generation_config": {}}, "eos_token_id None, not a list of token ids"),
        ({"generation_config": {"eos_token_id": []}}, "eos_token_id [], not a list of token ids"),
        ({"generation_config": {"eos_token_id": [4]}}, "[4] is not within the vocabulary of 4"),
    ],
)
def test_a_planck_string_that_is_wrong(forge, change, said):
    assert said in refused(forge(lambda table, planck: planck.update(change)))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("architectures", [], "names the architectures []"),
        ("architectures", [1], "names the architectures [1]"),
        ("max_position_embeddings", 0, "max_position_embeddings 0, not a number above 0"),
        ("vocab_size", "4", "vocab_size '4', not a number above 0"),
        ("tie_word_embeddings", None, "tie_word_embeddings None, not true or false"),
    ],
)
def test_a_config_that_no_runtime_can_use(forge, key, value, said):
    assert said in refused(forge(lambda table, planck: planck["config"].update({key: value})))


def test_a_planck_string_without_a_key(forge):
    path = forge(lambda table, planck: planck.pop("provenance"))
    assert "lacks the key 'provenance'" in refused(path)


def test_a_digest_that_is_none(forge):
    path = forge(lambda table, planck: planck["sha256"].update(w="ABC"))
    assert "tensor 'w' has the sha256 'ABC'" in refused(path)


def test_a_planck_string_that_is_no_json(tmp_path):
    header = json.dumps({"__metadata__": {"planck": "{"}}, separators=(",", ":")).encode()
    line = refused(write_raw(tmp_path / "a.planck", header))
    assert line.startswith("its planck metadata is not valid JSON")


def test_a_planck_string_in_another_form(small):
    header, data = header_of(small)
    write_raw(small, header.replace(b'{"__metadata__"', b'{ "__metadata__"'), data)
    assert "does not begin with the planck checksum alone" in refused(small)


def test_a_pack_that_shrinks_while_it_is_read(small):
    pack = read_pack(small)
    small.write_bytes(small.read_bytes()[: pack.weights[1].begin + 2])
    with pytest.raises(PackError, match="10 bytes early"):
        list(iter_tensors(pack))
