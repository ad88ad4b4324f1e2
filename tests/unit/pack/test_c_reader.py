"""The page docs/planck-format.md is enough: a C program written from it reads a pack."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from pytest_anchorgate.pack.convert import pack_directory
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.read import iter_tensors

SOURCE = Path(__file__).with_name("reader.c")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = tmp_path_factory.mktemp("c") / "reader"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run([compiler, *flags, "-o", str(program), str(SOURCE)], check=True)
    return program


def test_the_reader_is_short():
    assert len(SOURCE.read_text().splitlines()) < 150


def test_c_reads_values_and_tokenizer(reader, make_source, tmp_path):
    path = tmp_path / "a.planck"
    pack_directory(make_source(), path)
    tokenizer = read_pack(path).asset("tokenizer.json")
    for name, tensor in iter_tensors(path):
        run = subprocess.run([reader, path, name], capture_output=True, check=True)
        assert run.stdout.endswith(tokenizer)
        lines = run.stdout.removesuffix(tokenizer).split()
        values = torch.tensor([float(line) for line in lines])  # nine digits name one float32
        assert torch.equal(values, tensor.flatten().float())


def test_c_reads_names_that_are_not_ascii(reader, tmp_path, write_small):
    path = write_small(tmp_path / "a.planck", provenance={'a"}': '\\"}\\', ',"w":{': "\u00e9"})
    run = subprocess.run([reader, path, "w"], capture_output=True, text=True, check=True)
    assert run.stdout == '1\n-2\n0.5\n3\n0\n-0.125\n{"version":"1.0"}'


@pytest.mark.parametrize(
    ("edit", "name", "said"),
    [
        (lambda raw: raw, "v", "no such tensor"),
        (lambda raw: raw[:5], "w", "too short for a header length"),
        (lambda raw: b"\xff" * 8 + raw[8:], "w", "impossible header length"),
        (lambda raw: raw[:8] + b"{" + raw[8:], "w", "not a pack"),
        (lambda raw: raw[:-30], "w", "offsets outside of the file"),
    ],
)
def test_c_refuses_what_is_damaged(reader, small, edit, name, said):
    small.write_bytes(edit(small.read_bytes()))
    run = subprocess.run([reader, small, name], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (1, f"reader: {said}\n")
