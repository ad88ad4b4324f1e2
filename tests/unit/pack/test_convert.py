from __future__ import annotations

import pytest

from pytest_anchorgate.pack.convert import pack_directory, unpack
from pytest_anchorgate.pack.format import digest_file


def test_packing_the_same_directory_twice_gives_the_same_bytes(source, tmp_path):
    first = pack_directory(source, tmp_path / "a.planck")
    second = pack_directory(source, tmp_path / "b.planck")
    assert first == second == digest_file(tmp_path / "a.planck")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("dtype", ["bfloat16"])
def test_an_unpacked_directory_gives_the_same_logits(make_source, tmp_path, dtype, tied):
    import torch
    from transformers import AutoModelForCausalLM

    source = make_source(dtype, tied=tied)
    pack_directory(source, tmp_path / "a.planck")
    unpack(tmp_path / "a.planck", tmp_path / "out")
    ids = torch.arange(20)[None]
    before, after = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        for folder in (source, tmp_path / "out")
    )
    with torch.no_grad():
        assert torch.equal(before(ids).logits, after(ids).logits)
