from __future__ import annotations

import json
import os

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.read import iter_tensors
from tests.unit.pack.refusals import header_of, refused, write_raw

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


# What changes under the reader's hands.


def test_a_pack_that_shrinks_while_it_is_read(small):
    pack = read_pack(small)
    small.write_bytes(small.read_bytes()[: pack.weights[1].begin + 2])
    with pytest.raises(PackError, match="10 bytes early"):
        list(iter_tensors(pack))


def test_a_pack_that_vanishes_while_it_is_read(small):
    pack = read_pack(small)
    small.unlink()
    for read in (
        lambda: pack.asset("tokenizer.json"),
        pack.verify,
        lambda: digest_file(small),
        lambda: list(iter_tensors(pack)),
    ):
        with pytest.raises(PackError, match=r"small.planck: cannot be read: No such file or dir"):
            read()


def test_a_disk_that_fails_while_a_tensor_is_read(small, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.preadv", fail)
    with pytest.raises(PackError, match=r"small.planck: cannot be read: Input/output error\."):
        list(iter_tensors(small))


def test_a_header_that_shrinks_while_it_is_read(small, monkeypatch):
    whole = small.read_bytes()
    monkeypatch.setattr("os.pread", lambda _, count, at: whole[at : at + min(count, 99)])
    assert refused(small).startswith("ended after 99 of ")
