"""Runs EvalPlus from a model directory to its verdicts; a subprocess of `gate_vs_peers.py`.

    python evalplus_codegen_driver.py JOB.json

Its `hf` backend, greedy (which it does one prompt at a time), then its own evaluation on base
inputs, recorded from the tasks' tests. Writes JOB.answer: the seconds that generating took, the
answers, and the number of tasks that passed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evalplus_driver import recorded_inputs

FIRST_ID = 10_000  # EvalPlus has rules of its own for the numbers of MBPP's tasks
PACKAGES = ("evalplus", "torch", "transformers")


def main() -> None:
    """Generate, evaluate and write the answer."""
    job = Path(sys.argv[1])
    order = json.loads(job.read_text("utf-8"))
    ids = {f"Mbpp/{FIRST_ID + number}": row for number, row in enumerate(order["rows"])}
    problems = job.with_name("problems.jsonl")
    lines = [json.dumps(problem(task_id, row)) for task_id, row in ids.items()]
    problems.write_text("\n".join(lines) + "\n", "utf-8")
    os.environ["MBPP_OVERRIDE_PATH"] = str(problems)
    seconds, samples = evaluated(order, job.parent)
    verdicts = json.loads(samples.with_name(f"{samples.stem}_eval_results.json").read_text("utf-8"))
    raw = samples.with_name(f"{samples.stem}.raw.jsonl").read_text("utf-8").splitlines()
    answers = {}
    for one in map(json.loads, raw):
        row = ids[one["task_id"]]
        answers[row["id"]] = one["solution"].removeprefix(row["prompt"].strip() + "\n")
    answer = {
        "generate_s": sum(seconds),
        "answers": answers,
        "passed": sum(rows[0]["base_status"] == "pass" for rows in verdicts["eval"].values()),
        "versions": {name: version(name) for name in PACKAGES},
    }
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")
    sys.stdout.flush()
    os._exit(0)  # a thread of EvalPlus's would sleep for 20 seconds


def evaluated(order: dict[str, Any], folder: Path) -> tuple[list[float], Path]:
    """Return the seconds of generation and the file of samples, beside which are the verdicts.

    EvalPlus reads its environment when it is imported.
    """
    from evalplus import codegen, evaluate
    from own_tokenizer import use_own_tokenizer

    use_own_tokenizer()
    seconds: list[float] = []
    generate = codegen.codegen

    def timed(*arguments: Any, model: Any, **more: Any) -> None:
        model.max_new_tokens = order["max_new_tokens"]
        began = time.perf_counter()
        generate(*arguments, model=model, **more)
        seconds.append(time.perf_counter() - began)

    codegen.codegen = timed
    os.chdir(folder)
    evaluate.evaluate(
        "mbpp",
        base_only=True,
        parallel=os.cpu_count(),
        model=order["directory"],
        backend="hf",
        greedy=True,
        force_base_prompt=True,
        attn_implementation="sdpa",
        dtype="float32",
        root=str(folder / "results"),
    )
    (raw,) = (folder / "results" / "mbpp").glob("*.raw.jsonl")
    return seconds, raw.with_name(raw.name.replace(".raw.jsonl", ".jsonl"))


def problem(task_id: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as one of EvalPlus's problems, its recorded answer as the solution."""
    tests = "".join(f"    {test}\n" for test in row["tests"])
    task = {
        "task_id": task_id,
        "prompt": row["prompt"],
        "entry_point": row["entry_point"],
        "canonical_solution": row["target"],
        "test": f"def check({row['entry_point']}):\n{tests}",
    }
    return task | {
        "base_input": recorded_inputs(task),
        "plus_input": [],
        "contract": "",
        "atol": 0,
    }


if __name__ == "__main__":
    main()
