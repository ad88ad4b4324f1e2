"""Loading as float32 holds the float32 weights and little else: no second copy, no mapped file.

Measured as a process's peak resident memory (VmHWM, which /proc/self/clear_refs resets) over what
it held before, with a model of 202 MiB in float32. Whole BF16 tensors, or a mapped file, would
make it 1.3 to 1.5 times the weights.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.convert import pack_directory
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.read import iter_tensors, load_tensors
from tests.tiny import save_model, save_tokenizer

if TYPE_CHECKING:
    from pytest_anchorgate.pack.format import Pack

MEASURED = """
import re, sys
from pathlib import Path
from pytest_anchorgate.engine.transformers import load_model
from pytest_anchorgate.pack.format import read_pack

def read(key):
    return int(re.search(key + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

small, large, dtype = sys.argv[1:]
load_model(read_pack(Path(small)), device="cpu", dtype=dtype)  # what is loaded once is loaded now
Path("/proc/self/clear_refs").write_text("5")
before = read("VmRSS")
model = load_model(read_pack(Path(large)), device="cpu", dtype=dtype)
held = sum(value.numel() * value.element_size() for value in model.parameters())
print((read("VmHWM") - before) / held)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    sizes = {"vocab_size": 1 << 17, "hidden_size": 256, "intermediate_size": 12288}
    save_model(folder, **sizes)
    save_tokenizer(folder)
    pack_directory(folder, folder / "large.planck")
    (folder / "model.safetensors").unlink()
    return folder / "large.planck"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc/self/clear_refs")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loading_holds_the_weights_and_little_else(large: Path, tiny: Pack, dtype: str) -> None:
    command = [sys.executable, "-c", MEASURED, str(tiny.path), str(large), dtype]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < (1.1 if dtype == "float32" else 1.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_every_dtype_gets_the_values_that_torch_would_give(tiny: Pack, dtype: torch.dtype) -> None:
    loaded = load_tensors(tiny, dtype=dtype)
    assert list(loaded) == [entry.name for entry in tiny.weights]
    for name, tensor in iter_tensors(tiny):
        assert torch.equal(loaded[name], tensor.to(dtype))
        assert loaded[name].dtype is dtype


@pytest.mark.parametrize("end", ["first", "last"])
def test_a_damaged_byte_of_a_large_tensor_is_named(large: Path, tmp_path: Path, end: str) -> None:
    entry = max(read_pack(large).weights, key=lambda entry: entry.elements)
    damaged = tmp_path / "damaged.planck"
    raw = bytearray(large.read_bytes())
    raw[entry.begin if end == "first" else entry.end - 1] ^= 1
    damaged.write_bytes(raw)
    with pytest.raises(PackError, match=rf"tensor '{entry.name}' has sha256 [0-9a-f]+"):
        load_tensors(read_pack(damaged))
