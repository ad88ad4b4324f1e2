"""The engine alone, for `scaling.py`: lengths of answers, products of matrices, prefill.

    python scaling_engine.py FOLDER ROUNDS [--small]

Its last line is what was measured, as JSON. Lengths: 64 prompts on the demo pack, whose end of
answer is ignored. Products and prefill: a random model of Qwen2.5-0.5B's shape. Who is compared
takes turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from work import DEMO, ROOT

from pytest_anchorgate.engine.linear import OneDnnLinear, use_onednn
from pytest_anchorgate.engine.protocol import Request
from pytest_anchorgate.engine.transformers import TransformersEngine, load_model
from pytest_anchorgate.pack.format import read_pack

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTHS, QUICK_LENGTHS = (16, 64, 128, 256, 512), (4, 8)
PROMPTS, PROMPT = 64, 40  # how many, and how long
ROWS, QUICK_ROWS = (1, 4, 19, 64, 304), (1, 8)
PREFILL = (19, 228)  # rows and tokens of each: 100 of a prompt, 128 of an answer
PEAK = 2048  # rows and columns of the matrices that give the peak


def main() -> None:
    """Measure and print."""
    folder, rounds, small = Path(sys.argv[1]), int(sys.argv[2]), "--small" in sys.argv
    torch.manual_seed(3)
    found: dict[str, Any] = {"lengths": lengths(rounds, QUICK_LENGTHS if small else LENGTHS)}
    command = [sys.executable, str(ROOT / "benchmarks" / "wide_model.py"), str(folder)]
    subprocess.run([*command, *(["--small"] if small else [])], check=True, capture_output=True)
    model: Any = load_model(read_pack(folder / "wide.planck"), device="cpu", dtype="float32")
    with torch.inference_mode():
        found["products"] = products(model, rounds, QUICK_ROWS if small else ROWS)
        found["prefill"] = prefill(model, rounds, (2, 8) if small else PREFILL)
    print(json.dumps(found))


def in_turns(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return each way's median seconds; an unmeasured round comes first."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(found) for name, found in seconds.items()}


def lengths(rounds: int, chosen: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Return the seconds of answers of these lengths, decoded plainly and from right drafts."""
    engine = TransformersEngine(read_pack(DEMO))
    engine.eos_ids = frozenset({engine.model.config.vocab_size - 1})  # which it never says
    prompts = torch.randint(3, engine.model.config.vocab_size - 1, (PROMPTS, PROMPT)).tolist()

    def requests(length: int, drafts: dict[str, tuple[int, ...]]) -> list[Request]:
        return [
            Request(
                key=str(number),
                prompt_ids=tuple(prompt),
                stop=(),
                max_new_tokens=length,
                draft=drafts.get(str(number), ()),
            )
            for number, prompt in enumerate(prompts)
        ]

    found = {}
    for length in chosen:
        plain = requests(length, {})
        right = {one.key: one.token_ids for one in engine.generate(plain)}
        drafted = requests(length, right)
        again = {one.key: one.token_ids for one in engine.generate(drafted)}
        assert again == right, f"{length} tokens: drafts changed an answer"
        seconds = in_turns(
            rounds,
            {
                "plain_s": partial(_consume, engine, plain),
                "drafted_s": partial(_consume, engine, drafted),
            },
        )
        found[str(length)] = {**seconds, "ratio": seconds["plain_s"] / seconds["drafted_s"]}
    return found


def _consume(engine: TransformersEngine, asked: list[Request]) -> None:
    for _ in engine.generate(asked):
        pass


def products(model: Any, rounds: int, rows: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Return the milliseconds of one layer's products, averaged over all layers."""
    layers = [one for one in model.model.layers.modules() if isinstance(one, nn.Linear)]
    blocks = len(model.model.layers)
    found = {}
    for count in rows:
        states = {width: torch.randn(count, width) for width in {one.in_features for one in layers}}

        def run(kind: type[nn.Linear], given: dict[int, torch.Tensor] = states) -> None:
            for layer in layers:
                kind.forward(layer, given[layer.in_features])

        seconds = in_turns(
            rounds, {"mkl": lambda: run(nn.Linear), "onednn": lambda: run(OneDnnLinear)}
        )
        found[str(count)] = {
            "mkl_ms": 1000 * seconds["mkl"] / blocks,
            "onednn_ms": 1000 * seconds["onednn"] / blocks,
            "ratio": seconds["mkl"] / seconds["onednn"],
        }
    return found


def prefill(model: Any, rounds: int, shape: tuple[int, int]) -> dict[str, float]:
    """Return how fast the model reads, and the machine's best with torch's own product."""
    ids = torch.randint(3, 250, shape)
    square = torch.randn(PEAK, PEAK), torch.randn(PEAK, PEAK)
    weights = sum(one.weight.numel() for one in model.model.modules() if isinstance(one, nn.Linear))
    flops = 2.0 * weights * ids.numel()  # of the layers' products; attention comes on top
    plain = in_turns(rounds, {"read": lambda: model.model(input_ids=ids, use_cache=False)})
    use_onednn(model)
    seconds = in_turns(
        rounds,
        {
            "read": lambda: model.model(input_ids=ids, use_cache=False),
            "peak": lambda: torch.mm(*square),
        },
    )
    peak = 2.0 * PEAK**3 / seconds["peak"]
    return {
        "tokens": ids.numel(),
        "gflops": flops / seconds["read"] / 1e9,
        "torch_gflops": flops / plain["read"] / 1e9,
        "peak_gflops": peak / 1e9,
        "share": flops / seconds["read"] / peak,
    }


if __name__ == "__main__":
    main()
