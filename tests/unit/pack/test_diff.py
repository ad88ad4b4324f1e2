from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.diff import diff_json, diff_packs, render_diff
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.write import write_pack

META = {
    "config": {"architectures": ["X"], "max_position_embeddings": 8, "vocab_size": 4,
               "tie_word_embeddings": False},
    "generation_config": {"eos_token_id": [0]},
    "assets": {"tokenizer.json": b"{}"},
}  # fmt: skip


@pytest.fixture
def pair(tmp_path):
    """Give a function that writes two packs of the tensors given as lists."""

    def write(a, b, **changed):
        for name, values in (("a.planck", a), ("b.planck", b)):
            tensors = {key: torch.tensor(value).bfloat16() for key, value in values.items()}
            shapes = {key: value.shape for key, value in tensors.items()}
            more = changed if name == "b.planck" else {}
            write_pack(tmp_path / name, tensors.items(), shapes=shapes, **{**META, **more})
        return tmp_path / "a.planck", tmp_path / "b.planck"

    return write


def test_the_largest_relative_change_comes_first(pair):
    a = {"same": [1.0, 2.0], "little": [3.0, 4.0], "much": [[1.0], [0.0]]}
    b = {"same": [1.0, 2.0], "little": [3.0, 4.5], "much": [[1.0], [2.0]]}
    diff = diff_packs(*pair(a, b))
    assert [(row.name, row.relative_norm, row.changed_share) for row in diff.tensors] == [
        ("much", 2.0, 0.5),
        ("little", 0.1, 0.5),
        ("same", 0.0, 0.0),
    ]
    assert diff.total.changed_share == 2 / 6
    assert diff.total.relative_norm == pytest.approx(math.sqrt(4.25 / (5 + 25 + 1)))
    assert not diff.same


def test_equal_packs_are_the_same(small):
    diff = diff_packs(small, read_pack(small))
    assert diff.same
    assert diff.total.change_norm == 0
    assert "unchanged" in render_diff(diff)


def test_what_only_one_side_has_is_named(pair):
    a = {"gone": [1.0], "bent": [[1.0, 2.0]], "kept": [1.0]}
    b = {"new": [1.0], "bent": [[1.0], [2.0]], "kept": [1.0]}
    diff = diff_packs(*pair(a, b, assets={"tokenizer.json": b"[]", "x.json": b""}))
    assert (diff.only_in_a, diff.only_in_b) == (("gone",), ("new",))
    assert diff.reshaped == {"bent": ((1, 2), (2, 1))}
    assert diff.changed_assets == ("assets/tokenizer.json", "assets/x.json")
    assert not diff.same
    text = render_diff(diff)
    for line in (
        "only in the first pack:  gone",
        "only in the second pack: new",
        "other shape: bent: [1, 2] became [2, 1]",
        "other file:  assets/x.json",
    ):
        assert line in text.splitlines()


def test_a_change_of_nothing_is_infinite_and_null_in_json(pair):
    diff = diff_packs(*pair({"w": [0.0, 0.0]}, {"w": [0.0, 1.0]}))
    assert diff.tensors[0].relative_norm == math.inf
    assert json.loads(diff_json(diff))["tensors"][0]["relative_norm"] is None


def test_the_sign_of_zero_counts_as_a_change_without_a_norm(pair):
    diff = diff_packs(*pair({"w": [0.0, 1.0]}, {"w": [-0.0, 1.0]}))
    assert (diff.total.changed, diff.total.relative_norm) == (1, 0.0)


def test_the_table_has_a_line_for_each_changed_tensor_and_the_total(pair):
    text = render_diff(diff_packs(*pair({"w": [4.0], "v": [1.0]}, {"w": [5.0], "v": [1.0]})))
    assert text.splitlines() == [
        "relative norm   changed  tensor",
        "    2.500e-01   100.00%  w [1]",
        "    unchanged            1 of 2 tensors",
        "    2.425e-01    50.00%  total [2]",
    ]


def test_a_damaged_tensor_is_named(small, tmp_path, write_small):
    other = write_small(tmp_path / "other.planck")
    raw = bytearray(other.read_bytes())
    raw[read_pack(other).weights[1].begin] ^= 1
    other.write_bytes(raw)
    with pytest.raises(PackError, match=r"other.planck: tensor 'w' has sha256"):
        diff_packs(small, other)


VALUES = st.lists(st.floats(-100, 100, width=16), min_size=1, max_size=20)


@settings(deadline=None, max_examples=25)
@given(before=VALUES, data=st.data())
def test_norms_and_shares_equal_their_definition(tmp_path_factory, before, data):
    after = data.draw(st.lists(st.sampled_from([*before, 0.5]), min_size=len(before),
                               max_size=len(before)))  # fmt: skip
    folder = tmp_path_factory.mktemp("diff")
    one, other = torch.tensor(before).bfloat16(), torch.tensor(after).bfloat16()
    for name, tensor in (("a", one), ("b", other)):
        write_pack(folder / name, [("w", tensor)], shapes={"w": tensor.shape}, **META)
    total = diff_packs(folder / "a", folder / "b").total
    assert total.norm == pytest.approx(one.double().norm().item())
    assert total.change_norm == pytest.approx((other.double() - one.double()).norm().item())
    assert total.changed == sum(one.view(torch.int16) != other.view(torch.int16)).item()
