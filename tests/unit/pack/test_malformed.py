from __future__ import annotations

import json
import os
import tracemalloc

import pytest

from tests.unit.pack.refusals import refused, write_raw

# What cannot be a pack at all.


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
