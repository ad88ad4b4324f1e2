"""Runs transformers' own `generate` over a job's prompts; a subprocess of `gate_vs_peers.py`.

    python transformers_driver.py JOB.json

Writes JOB.answer: the seconds that generating took and the answers. Prompts are sorted by their
length, so that a batch is padded little. It gives no verdicts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


def main() -> None:
    """Generate all answers and write them."""
    job = Path(sys.argv[1])
    order = json.loads(job.read_text("utf-8"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(order["directory"], padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(order["directory"], dtype=torch.float32).eval()
    began = time.perf_counter()
    answers = generated(model, tokenizer, order)
    answer = {
        "generate_s": time.perf_counter() - began,
        "answers": answers,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    job.with_suffix(".answer").write_text(json.dumps(answer), "utf-8")


def generated(model: Any, tokenizer: Any, order: dict[str, Any]) -> dict[str, str]:
    """Return the answers by the ids of their rows."""
    rows = sorted(order["rows"], key=lambda row: len(tokenizer(row["prompt"]).input_ids))
    size, stop, answers = int(order["batch"]), order["stop"], {}
    stopping = {"stop_strings": stop, "tokenizer": tokenizer} if stop else {}
    for first in range(0, len(rows), size):
        batch = rows[first : first + size]
        prompts = [row["prompt"] for row in batch]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
        with torch.inference_mode():
            tokens = model.generate(
                **inputs, max_new_tokens=order["max_new_tokens"], do_sample=False, **stopping
            )
        texts = tokenizer.batch_decode(
            tokens[:, inputs.input_ids.shape[1] :], skip_special_tokens=True
        )
        pairs = zip(batch, texts, strict=True)
        answers |= {row["id"]: cut(text, stop) for row, text in pairs}
    return answers


def cut(text: str, stop: list[str]) -> str:
    """Return the text up to the first stop sequence."""
    return text[: min((text.find(one) for one in stop if one in text), default=len(text))]


if __name__ == "__main__":
    main()
