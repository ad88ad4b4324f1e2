from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.read import iter_tensors
from pytest_anchorgate.pack.write import write_pack
from tests.strategies import pack_contents

CONFIG = {
    "architectures": ["X"],
    "max_position_embeddings": 8,
    "tie_word_embeddings": False,
    "vocab_size": 4,
}
META = {"config": CONFIG, "generation_config": {"eos_token_id": [0]}, "assets": {}}
GOLDEN_SHA256 = "63e2d07fa44de0d9a1b56d248bbdd5d3f8ab88685e10827dd39c9e9924672609"


def write(path, tensors, *, shapes=None, **changed):
    shapes = shapes or {name: value.shape for name, value in tensors}
    return write_pack(path, tensors, shapes=shapes, **{**META, **changed})


def write_contents(path, contents):
    tensors = list(contents["tensors"].items())
    rest = {key: value for key, value in contents.items() if key != "tensors"}
    return write(path, tensors, **rest)


@settings(deadline=None, max_examples=60)
@given(contents=pack_contents())
def test_what_is_written_is_read_back_bit_by_bit(contents):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.planck"
        digest = write_contents(path, contents)
        pack = read_pack(path)
        assert digest == digest_file(path)
        for key in ("config", "generation_config", "provenance", "prompt_style"):
            assert getattr(pack, key) == contents[key]
        assert {name: pack.asset(name) for name in pack.asset_names} == contents["assets"]
        found = dict(iter_tensors(pack))
        assert found.keys() == contents["tensors"].keys()
        for name, tensor in contents["tensors"].items():
            assert found[name].shape == tensor.shape
            assert torch.equal(found[name].view(torch.int16), tensor.view(torch.int16))


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutation_is_accepted_as_intact_or_raises_anything_else(small, whole, data):
    mutated = data.draw(mutations(whole))
    assume(mutated != whole)
    small.write_bytes(mutated)
    with pytest.raises(PackError) as caught:
        read_pack(small).verify()
    assert "\n" not in str(caught.value)


@pytest.fixture
def whole(small):
    return small.read_bytes()


def mutations(whole):
    """Bits flipped, a tail cut off, bytes put in, taken out, overwritten or said twice."""
    places = st.integers(0, len(whole) - 1)
    some = st.binary(min_size=1, max_size=12)
    lengths = st.integers(1, 40)
    return st.one_of(
        st.builds(lambda at, bit: splice(whole, at, 1, bytes([whole[at] ^ 1 << bit])), places,
                  st.integers(0, 7)),
        st.builds(lambda at: whole[:at], places),
        st.builds(lambda at, new: splice(whole, at, 0, new), places, some),
        st.builds(lambda at, n: splice(whole, at, n, b""), places, lengths),
        st.builds(lambda at, new: splice(whole, at, len(new), new), places, some),
        st.builds(lambda at, n: splice(whole, at, 0, whole[at : at + n]), places, lengths),
    )  # fmt: skip


def splice(whole, at, taken, new):
    return whole[:at] + new + whole[at + taken :]


def test_the_format_does_not_change(tmp_path):
    """The sha256 of one fixed pack: a new value here is a new format."""
    tensors = [("w", torch.tensor([[1, -2, 0.5]], dtype=torch.bfloat16)),
               ("\u00fc\u4e16", torch.tensor(3, dtype=torch.bfloat16)),
               ("none", torch.empty(0, 2, dtype=torch.bfloat16))]  # fmt: skip
    digest = write(
        tmp_path / "a.planck",
        tensors,
        config={**CONFIG, "rms": 1e-06, "text": 'quote " slash \\ new\nline \u00e9', "n": None},
        assets={"tokenizer.json": b"{}\n"},
        provenance={"b": "2", "a": "1"},
        prompt_style="docstring",
    )
    raw = (tmp_path / "a.planck").read_bytes()
    assert raw.endswith(bytes.fromhex("803f00c0003f" + "4040") + b"{}\n")
    assert raw[8:].startswith(b'{"__metadata__":{"planck":"{\\"checksum\\":\\"')
    assert digest == GOLDEN_SHA256


def test_the_example_of_the_page_is_what_is_written(tmp_path):
    page = Path(__file__).parents[3] / "docs" / "planck-format.md"
    example = page.read_text("utf-8").partition("## Example")[2].partition("## Writing")[0]
    header = "".join(example.split("```")[1].split("\n")).encode()
    data = bytes.fromhex("803f20c0") + b"{}"
    digest = write(
        tmp_path / "a.planck",
        [("w", torch.tensor([1, -2.5]).bfloat16())],
        config={**CONFIG, "dtype": "bfloat16", "tie_word_embeddings": True, "vocab_size": 2},
        generation_config={"eos_token_id": [1]},
        assets={"tokenizer.json": b"{}"},
    )
    whole = (tmp_path / "a.planck").read_bytes()
    assert whole == (640).to_bytes(8, "little") + header.ljust(640) + data
    assert digest in example


def test_neither_order_of_tensors_nor_of_keys_nor_the_hash_seed_changes_a_byte(tmp_path):
    code = """
import sys, torch
from pathlib import Path
from pytest_anchorgate.pack.write import write_pack
names = sorted({f"t{i}" for i in range(20)}, key=hash)
config = {"architectures": ["X"], "max_position_embeddings": 8, "tie_word_embeddings": False,
          "vocab_size": 4} | {name: 1 for name in names}
config = {key: config[key] for key in sorted(config, key=hash)}
print(write_pack(Path(sys.argv[1]), ((n, torch.full((3,), int(n[1:])).bfloat16()) for n in names),
    shapes={n: (3,) for n in names}, config=config, generation_config={"eos_token_id": [0]},
    assets={n: n.encode() for n in names}, provenance={n: n for n in names}))
"""
    digests = set()
    for seed, locale in (("1", "C"), ("2", "C.UTF-8")):
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(run.stdout)
    assert len(digests) == 1


# What the writer refuses, leaving nothing behind.


@pytest.mark.parametrize(
    ("tensors", "shapes", "said"),
    [
        ([("w", torch.zeros(2))], {"w": (2,)}, "'w' has dtype torch.float32"),
        (
            [("w", torch.zeros(2).bfloat16())],
            {"w": (3,)},
            r"'w' has shape \[2\], not \[3\]",
        ),
        ([("v", torch.zeros(2).bfloat16())], {"w": (2,)}, "'v' was not expected, or came twice"),
        ([("w", torch.zeros(2).bfloat16())] * 2, {"w": (2,)}, "'w' was not expected, or came"),
        ([], {"w": (2,)}, "'w' never came"),
        (
            [("w", torch.tensor([1, float("inf")]).bfloat16())],
            {"w": (2,)},
            "'w' holds NaN or infinity",
        ),
        ([], {"assets/w": (2,)}, "'assets/w' has a name kept for the pack"),
        ([], {"__metadata__": (2,)}, "'__metadata__' has a name kept for the pack"),
    ],
)
def test_a_tensor_that_does_not_fit(tmp_path, tensors, shapes, said):
    with pytest.raises(PackError, match=said):
        write(tmp_path / "a.planck", tensors, shapes=shapes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", ".hidden", "a/b", "", "a\n"])
def test_an_asset_must_have_a_plain_file_name(tmp_path, name):
    with pytest.raises(PackError, match="is not a plain file name"):
        write(tmp_path / "a.planck", [], assets={name: b""})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**CONFIG, "x": float("nan")}, "has no JSON text: Out of range float"),
        ({**CONFIG, "x": "\ud800"}, "has no JSON text: 'utf-8' codec can't encode"),
        ({**CONFIG, "x": {1, 2}}, "has no JSON text: Object of type set"),
        ({}, "architectures None"),
    ],
)
def test_metadata_that_has_no_form_in_json(tmp_path, config, said):
    with pytest.raises(PackError, match=said):
        write(tmp_path / "a.planck", [], config=config)
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_may_be_a_view(tmp_path):
    tensor = torch.arange(6).reshape(2, 3).bfloat16().T
    write(tmp_path / "a.planck", [("w", tensor)])
    assert torch.equal(dict(iter_tensors(tmp_path / "a.planck"))["w"], tensor)


@pytest.mark.parametrize("error", [RuntimeError("broke"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_file_and_no_temporary_one(small, error):
    before = small.read_bytes()

    def tensors():
        yield "a", torch.zeros(1000).bfloat16()
        raise error

    with pytest.raises(type(error)):
        write(small, tensors(), shapes={"a": (1000,), "b": (1,)})
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(PackError, match=r"a.planck: cannot be written: No space left on device\."):
        write(tmp_path / "a.planck", [("w", torch.zeros(2).bfloat16())])
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_does_not_exist(tmp_path):
    with pytest.raises(PackError, match=r"a.planck: cannot be written: No such file"):
        write(tmp_path / "no" / "a.planck", [])


def test_the_umask_decides_who_may_read(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a.planck", [])
    finally:
        os.umask(before)
    assert (tmp_path / "a.planck").stat().st_mode & 0o777 == 0o640


KILLED_WRITERS = """
import os, random, signal, sys, time, torch
from pathlib import Path
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.write import write_pack
torch.set_num_threads(1)
path, size, chance = Path(sys.argv[1]), 1 << 18, random.Random(3)
config = {"architectures": ["X"], "max_position_embeddings": 8, "tie_word_embeddings": False,
          "vocab_size": 4}
def write(value):
    tensors = ((name, torch.full((size,), value).bfloat16()) for name in "abcd")
    return write_pack(path, tensors, shapes={name: (size,) for name in "abcd"}, config=config,
                      generation_config={"eos_token_id": [0]}, assets={})
allowed = {write(1.0), write(2.0)}
for _ in range(12):
    writer = os.fork()
    while not writer:
        write(1.0)
        write(2.0)
    time.sleep(chance.random() * 0.1)
    os.kill(writer, signal.SIGKILL)
    assert os.waitpid(writer, 0)[1] == signal.SIGKILL
    assert digest_file(path) in allowed
    read_pack(path).verify()
print(len(allowed))
"""


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path):
    command = [sys.executable, "-c", KILLED_WRITERS, str(tmp_path / "a.planck")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.stdout, run.returncode) == ("2\n", 0), run.stderr
