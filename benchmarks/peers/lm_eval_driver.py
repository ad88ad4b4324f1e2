"""Runs lm-evaluation-harness over a job's prompts; a subprocess of `gate_vs_peers.py`.

    python lm_eval_driver.py JOB.json

Its `hf` model, its `generate_until`, a task of its own over a local JSONL file. Writes JOB.answer:
the seconds that `generate_until` took, the answers, and what its `exact_match` with the recorded
answers says. It executes no program.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from own_tokenizer import use_own_tokenizer

TASK = "recorded_anchors"
PACKAGES = ("lm_eval", "torch", "transformers")


def main() -> None:
    """Evaluate and write the answer."""
    job = Path(sys.argv[1])
    order = json.loads(job.read_text("utf-8"))
    use_own_tokenizer()
    seconds = time_generation()
    write_task(job.parent, order)
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args={
            "pretrained": order["directory"],
            "dtype": "float32",
            "max_length": order["context"],
        },
        tasks=[TASK],
        task_manager=TaskManager(include_path=str(job.parent), include_defaults=False),
        batch_size=order["batch"],
        device="cpu",
        bootstrap_iters=0,
    )
    samples = found["samples"][TASK]
    answer = {
        "generate_s": sum(seconds),
        "answers": {one["doc"]["id"]: one["filtered_resps"][0] for one in samples},
        "passed": sum(one["exact_match"] for one in samples),
        "versions": {name: version(name) for name in PACKAGES},
    }
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")


def time_generation() -> list[float]:
    """Return a list that every call of `generate_until` adds its seconds to."""
    seconds: list[float] = []
    generate_until = HFLM.generate_until

    def timed(self: HFLM, *arguments: Any, **more: Any) -> list[str]:
        began = time.perf_counter()
        answers = generate_until(self, *arguments, **more)
        seconds.append(time.perf_counter() - began)
        return answers

    HFLM.generate_until = timed
    return seconds


def write_task(folder: Path, order: dict[str, Any]) -> None:
    """Write the task, as YAML (of which JSON is a part), and its rows."""
    rows = folder / "rows.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for row in order["rows"]:
            print(json.dumps({key: row[key] for key in ("id", "prompt", "target")}), file=file)
    task = {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(rows)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{target}}",
        "generation_kwargs": {
            "until": order["stop"],
            "max_gen_toks": order["max_new_tokens"],
            "do_sample": False,
        },
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / f"{TASK}.yaml").write_text(json.dumps(task), "utf-8")


if __name__ == "__main__":
    main()
