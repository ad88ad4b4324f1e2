"""Generates with this project's engine; a subprocess of `gate_vs_peers.py`, as the peers are.

    python engine_driver.py JOB.json

Writes JOB.answer: the seconds that generating took, the answers and their token ids.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_anchorgate.engine.protocol import Completion, Request
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.pack.format import read_pack


def main() -> None:
    """Generate all answers and write them."""
    job = Path(sys.argv[1])
    order = json.loads(job.read_text("utf-8"))
    engine = TransformersEngine(read_pack(Path(order["pack"])))
    began = time.perf_counter()
    found = generated(engine, order)
    answer = {
        "generate_s": time.perf_counter() - began,
        "answers": {one.key: one.text for one in found},
        "token_ids": {one.key: one.token_ids for one in found},
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")


def generated(engine: TransformersEngine, order: dict[str, Any]) -> list[Completion]:
    """Return all completions, with recorded answers as drafts where the job says so."""
    requests = [
        Request(
            key=row["id"],
            prompt_ids=tuple(engine.tokenizer.encode(row["prompt"]).ids),
            stop=tuple(order["stop"]),
            max_new_tokens=order["max_new_tokens"],
            draft=tuple(row["draft"]) if order["drafted"] else (),
        )
        for row in order["rows"]
    ]
    return list(engine.generate(requests))


if __name__ == "__main__":
    main()
