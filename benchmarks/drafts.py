"""Measure draft verification: how exact its logits are, and what it saves.

    python benchmarks/drafts.py [--pack PACK] [--device cpu] [--dtype float32] [--rounds 5]

For each certified anchor of the pack: plain decoding alone, plain decoding in one batch, and the
certified answer as a draft, interleaved. Prints the median seconds and model passes of each way,
and the largest difference of a margin between decoding alone and the other two, at any token: the
engine's threshold, under which an answer is decoded again alone, must lie well over it. Exit
status 1 when an answer over the threshold differs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.certificate import certificate_path, read_certificate
from pytest_anchorgate.engine.protocol import Request, engine_identity
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from pytest_anchorgate.engine.decode import Row

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("alone", "one batch", "drafted")


def main() -> int:
    """Measure, print a table, and return the exit status."""
    options = _options()
    pack = find_pack(options.pack, ROOT / "packs")
    engine = TransformersEngine(
        read_pack(pack), device=options.device, dtype=options.dtype, batch_tokens=10**9
    )
    requests = _requests(options, pack)
    passes = _count_passes(engine)
    seconds, counts = defaultdict(list), defaultdict(list)
    found: dict[str, dict[str, Row]] = {}
    for round_ in range(options.rounds):
        for way in WAYS:
            passes.clear()
            began = time.perf_counter()
            found[way] = _decoded(engine, requests, way)
            seconds[way].append(time.perf_counter() - began)
            counts[way].append(len(passes))
            print(f"round {round_ + 1}, {way}: {seconds[way][-1]:.2f} s", file=sys.stderr)
    print(f"{len(requests)} anchors, {options.dtype} on {options.device}, {options.rounds} rounds")
    for way in WAYS:
        time_s = statistics.median(seconds[way])
        print(f"{way:10} {time_s:8.3f} s {statistics.median(counts[way]):6.0f} passes")
    pairs = zip(seconds["one batch"], seconds["drafted"], strict=True)
    ratio = statistics.median(without / drafted for without, drafted in pairs)
    print(f"drafts are {ratio:.1f} times as fast as the batch without them")
    return _differences(found, engine.threshold)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pack", default="demo-v1")
    parser.add_argument("--anchors", type=Path, default=ROOT / "anchors" / "demo.jsonl")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _requests(options: argparse.Namespace, pack: Path) -> list[Request]:
    """Return what a gate would ask for the anchors, with the certified answers as drafts."""
    certificate = read_certificate(certificate_path(ROOT / "packs", pack.name))
    prompter = Prompter.load(
        str(pack),
        sha256=digest_file(pack),
        identity=engine_identity("transformers", device=options.device, dtype=options.dtype),
        style=None,
        max_new_tokens=certificate.decoding.max_new_tokens,
    )
    recorded = {task.id: task.token_ids for task in certificate.tasks}
    tasks = load_suite("anchor", [parse_suite_spec(str(options.anchors))], resolve={})
    return [
        replace(prompter.request(task), draft=recorded[task.id])
        for task in tasks
        if task.id in recorded
    ]


def _count_passes(engine: TransformersEngine) -> list[None]:
    """Return a list that grows with each pass of the model."""
    passes: list[None] = []
    best = engine.head.best

    def counted(*inputs: Any, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
        passes.append(None)
        return best(*inputs, **more)

    engine.head.best = counted  # type: ignore[method-assign] # a benchmark looks in
    return passes


def _decoded(engine: TransformersEngine, requests: Sequence[Request], way: str) -> dict[str, Row]:
    """Decode every request in one way, without deciding small margins again."""
    if way == "drafted":
        rows = engine.decode(requests)
    else:
        plain = [replace(request, draft=()) for request in requests]
        batches = [[request] for request in plain] if way == "alone" else [plain]
        rows = [row for batch in batches for row in engine.decode(batch)]
    return {row.request.key: row for row in rows}


def _differences(found: dict[str, dict[str, Row]], threshold: float) -> int:
    """Print how far margins are apart; return 1 if an answer differs that would not be redone."""
    status = 0
    for way in WAYS[1:]:
        largest, redone, other = 0.0, 0, 0
        for key, row in found["alone"].items():
            same = found[way][key]
            redone += min(same.margins) < threshold
            other += same.token_ids != row.token_ids and min(same.margins) >= threshold
            largest = max([largest, *_apart(row, same)])
        print(
            f"{way}: margins at most {largest:.1e} from those alone; under the threshold of "
            f"{threshold:g}: {redone} answers; others that differ: {other}"
        )
        status |= other > 0
    return status


def _apart(one: Row, two: Row) -> list[float]:
    """Return how far the margins of two answers are apart, up to where the answers part."""
    apart = []
    tokens = zip(one.token_ids, two.token_ids, strict=False)
    for (left, right), gap, gap_too in zip(tokens, one.margins, two.margins, strict=False):
        if left != right:
            apart.append(gap + gap_too)  # each was ahead by that much
            break
        apart.append(abs(gap - gap_too))
    return apart


if __name__ == "__main__":
    sys.exit(main())
