"""Packing and reading hold one tensor beside the files' pages, which the system may drop.

Measured as a process's peak resident memory (VmHWM, which /proc/self/clear_refs resets) over
what it held before, with a model of 101 MiB in F32 whose largest tensor has 32 MiB in BF16.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_anchorgate.pack.convert import pack_directory

LARGEST_MIB = 32
SLACK_MIB = 16  # chunks of 1 to 4 MiB, a model on meta, code touched for the first time

MEASURED = """
import json, re, sys
from pathlib import Path
import torch
from pytest_anchorgate.pack import architecture, convert, diff, read, tokenizer, write
from pytest_anchorgate.pack.format import read_pack
torch.set_num_threads(1)
small, large = map(Path, sys.argv[1:])

def mib(key):
    return int(re.search(key + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

def pack(folder):
    convert.pack_directory(folder, folder / "made.planck")

def unpack(folder):
    convert.unpack(folder / "a.planck", folder / "out")

def read_all(folder):
    for name, tensor in read.iter_tensors(folder / "a.planck"):
        torch.isfinite(tensor[:1])
        del tensor

def write_again(folder):
    pack = read_pack(folder / "a.planck")
    shapes = {entry.name: entry.shape for entry in pack.weights}
    write.write_pack(folder / "b.planck", read.iter_tensors(pack), shapes=shapes, assets={},
                     config=pack.config, generation_config=pack.generation_config)

def compare(folder):
    diff.diff_packs(folder / "a.planck", folder / "a.planck")

peaks = {}
for action in (pack, unpack, read_all, write_again, compare):
    action(small)  # what is loaded for the first time is loaded now
    Path("/proc/self/clear_refs").write_text("5")
    before = mib("VmRSS")
    action(large)
    peaks[action.__name__] = mib("VmHWM") - before
print(json.dumps(peaks))
"""


@pytest.fixture(scope="module")
def peaks_mib(make_source, tmp_path_factory):
    sizes = {"vocab_size": 1 << 16, "hidden_size": 256, "intermediate_size": 6144}
    base = tmp_path_factory.mktemp("memory")
    small = shutil.copytree(make_source(), base / "small")
    large = shutil.move(make_source(**sizes), base / "large")
    for folder in (small, large):
        pack_directory(folder, folder / "a.planck")
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(small), str(large)], capture_output=True, text=True
    )
    shutil.rmtree(base)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc/self/clear_refs")
@pytest.mark.parametrize(
    ("action", "tensors"),
    [("pack", 1), ("unpack", 1), ("read_all", 1), ("write_again", 1), ("compare", 2)],
)
def test_few_tensors_are_held_at_a_time(peaks_mib, action, tensors):
    assert peaks_mib[action] < tensors * LARGEST_MIB + SLACK_MIB
