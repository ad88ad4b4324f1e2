"""Measure loading a pack, beside `from_pretrained` on the same weights as a directory.

    python benchmarks/loading.py [--rounds 5] [--out loading.json]
    python benchmarks/loading.py --quick        a model of a few kilobytes in float32, once

Makes a pack of random weights (Qwen2.5-0.5B's shape, 1 GB in BF16) and its unpacked directory in a
temporary folder, then loads both in turns, each time in a fresh process, as float32 and as
bfloat16. Prints median seconds of wall clock and of processor time, and the peak memory over the
level after imports, in parts of the weights' bytes in the dtype loaded. Ours reads and verifies
every byte; as bfloat16 `from_pretrained` only maps the file and reads nothing. Files lie in the
page cache.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch
from accelerate import init_empty_weights
from progress import say
from transformers import AutoModelForCausalLM, Qwen2Config
from transformers.models.qwen2 import modeling_qwen2

from pytest_anchorgate.engine.transformers import load_model
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.read import iter_tensors
from pytest_anchorgate.pack.write import write_pack, write_safetensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WAYS = ("anchorgate", "from_pretrained")
DTYPES = ("float32", "bfloat16")
TINY = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 24, "vocab_size": 320,
}  # fmt: skip
HALF_B = {
    "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
    "num_key_value_heads": 2, "intermediate_size": 4864, "vocab_size": 151936,
}  # fmt: skip
Shapes = dict[str, tuple[int, ...]]


def main() -> int:
    """Make the weights, load them in turns, print a table."""
    options = _options()
    if options.load:
        way, dtype, folder = options.load
        print(json.dumps(load(way, dtype, Path(folder))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        say("making the weights")
        make(Path(folder), TINY if options.quick else HALF_B)
        rounds, dtypes = (1, DTYPES[:1]) if options.quick else (options.rounds, DTYPES)
        measured = measure(Path(folder), rounds, dtypes)
    print(render(measured))
    if options.out:
        options.out.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tiny model in float32, once")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--load", nargs=3, help=argparse.SUPPRESS)  # one load, in this process
    return parser.parse_args()


def make(folder: Path, sizes: Mapping[str, int]) -> None:
    """Write the pack ``a.planck`` and the directory ``hf``, the same random weights in both."""
    config: Any = Qwen2Config(**sizes, tie_word_embeddings=True)  # type: ignore[arg-type]
    config.architectures = ["Qwen2ForCausalLM"]
    with init_empty_weights():
        model = modeling_qwen2.Qwen2ForCausalLM(config)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
    del shapes["lm_head.weight"]  # tied
    write_pack(
        folder / "a.planck",
        _random(shapes),
        shapes=shapes,
        config={key: value for key, value in config.to_dict().items() if value is not None},
        generation_config={"eos_token_id": [0]},
        assets={},
    )
    config.save_pretrained(folder / "hf")
    weights = iter_tensors(folder / "a.planck")
    write_safetensors(folder / "hf" / "model.safetensors", weights, shapes)


def _random(shapes: Shapes) -> Iterator[tuple[str, torch.Tensor]]:
    """Give each tensor as random bits, but for an exponent's highest: finite, and quickly made."""
    bits = numpy.random.default_rng(7)
    for name, shape in shapes.items():
        drawn = bits.integers(0, 1 << 16, shape, dtype=numpy.uint16) & 0xBFFF
        yield name, torch.from_numpy(drawn).view(torch.bfloat16)


def measure(folder: Path, rounds: int, dtypes: Sequence[str]) -> dict[str, Any]:
    """Return every load's figures by dtype and way; who begins changes from round to round."""
    measured: dict[str, Any] = {dtype: {way: [] for way in WAYS} for dtype in dtypes}
    for number in range(rounds):
        for dtype in dtypes:
            for way in WAYS if number % 2 else WAYS[::-1]:
                command = [sys.executable, __file__, "--load", way, dtype, str(folder)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                measured[dtype][way].append(json.loads(done.stdout))
                say(f"round {number + 1}, {dtype}, {way}: {done.stdout.strip()}")
    return measured


def load(way: str, dtype: str, folder: Path) -> dict[str, float]:
    """Load once in this process and return what it took; all imports are done."""
    before = _status_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    began, worked = time.perf_counter(), time.process_time()
    model: Any
    if way == "anchorgate":
        model = load_model(read_pack(folder / "a.planck"), device="cpu", dtype=dtype)
    else:
        model = AutoModelForCausalLM.from_pretrained(
            folder / "hf", dtype=getattr(torch, dtype), local_files_only=True
        )
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - worked
    weights_bytes = sum(value.numel() * value.element_size() for value in model.parameters())
    peak = (_status_bytes("VmHWM") - before) / weights_bytes
    return {"seconds": seconds, "cpu_s": cpu_s, "peak": peak}


def _status_bytes(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, f"no {key} in /proc/self/status"
    return 1024 * int(found[1])


def render(measured: Mapping[str, Any]) -> str:
    """Return the medians as a table."""
    lines = [f"{'':26}  seconds    cpu s   peak / weights"]
    for dtype, of_dtype in measured.items():
        middle = {}
        for way, loads in of_dtype.items():
            middle[way] = {key: statistics.median(one[key] for one in loads) for key in loads[0]}
            seconds, cpu_s, peak = middle[way].values()
            lines.append(f"{dtype:10}{way:16}{seconds:9.2f}{cpu_s:9.2f}{peak:10.2f}")
        ratio = middle[WAYS[0]]["seconds"] / middle[WAYS[1]]["seconds"]
        lines.append(f"{dtype:10}{WAYS[0]} takes {ratio:.2f} times as long")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
