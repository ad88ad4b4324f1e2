"""The engine on Hugging Face transformers: greedy, batched, and equal to batch-of-one decoding.

Runs in the model's own process (and in tests); pytest and xdist workers never import it. It
knows token ids and stop sequences, not tasks or verdicts.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer

from pytest_anchorgate.engine.decode import Batch, Row
from pytest_anchorgate.engine.draft import Draft
from pytest_anchorgate.engine.head import Head
from pytest_anchorgate.engine.linear import use_onednn
from pytest_anchorgate.engine.memory import fitting_tokens
from pytest_anchorgate.engine.protocol import Completion, FinishReason, Request, answer_text
from pytest_anchorgate.pack.architecture import build_model, read_architecture, require_fit
from pytest_anchorgate.pack.read import load_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

    from pytest_anchorgate.pack.format import Pack

# Two ways to compute one logit (another batch size, another padding, a draft's whole pass) differ
# by rounding. Largest difference of a margin on 2026-11-22, CPU, and how it was measured: see
# docs/engine.md (demo pack: float32 1.5e-5, bfloat16 0.22, float16 0.023; a random model of
# Qwen2.5-0.5B's shape: float32 8.8e-5). A token with a smaller margin than these is decided again
# alone. On a GPU nothing was measured yet.
MARGIN_THRESHOLD = {"float32": 5e-4, "bfloat16": 0.5, "float16": 0.0625}


def load_model(pack: Pack, *, device: str, dtype: str) -> PreTrainedModel:
    """Return the pack's model in evaluation mode, its weights assigned as they were read.

    BF16 weights are upcast exactly when ``dtype`` is wider. The digest of every tensor is
    verified while it is read.

    :raises PackError: when a tensor is missing, unexpected, damaged or shaped against the config.
    """
    where = str(pack.path)
    model: Any = build_model(where, pack.config)  # whose methods have no types
    architecture = read_architecture(model)
    require_fit(where, architecture, {entry.name: entry.shape for entry in pack.weights})
    weights = load_tensors(pack, device=device, dtype=getattr(torch, dtype))
    missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    assert set(missing) <= architecture.tied.keys(), f"left out: {missing}"
    assert not unexpected, f"never asked for: {unexpected}"
    left = [name for name, tensor in model.named_parameters() if tensor.is_meta]
    assert not left, f"parameters left on meta: {left}"
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded


class TransformersEngine:
    """A loaded pack that completes prompts greedily.

    ``batch_tokens`` bounds rows times (longest prompt + longest completion) of one batch, where
    there is memory for so many. ``model``: the pack's, already loaded and perhaps changed; it is
    used as it is.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch_tokens: int = 16384,
        model: PreTrainedModel | None = None,
    ) -> None:
        self.model = model or load_model(pack, device=device, dtype=dtype)
        if model is None:
            use_onednn(self.model)
        self.head = Head(self.model)
        self.tokenizer = Tokenizer.from_str(pack.asset("tokenizer.json").decode())
        self.eos_ids = frozenset(pack.eos_token_ids)
        self.device = str(self.model.device)
        self.batch_tokens = min(batch_tokens, fitting_tokens(self.model))
        self.threshold = MARGIN_THRESHOLD[str(self.model.dtype).removeprefix("torch.")]

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield one completion per request, shortest prompts first.

        A token whose margin is under the threshold is decided again by decoding alone and without
        a draft, so completions depend neither on the batch they were in nor on what was guessed.
        """
        for batch in self.batches(requests):
            began = time.perf_counter()
            rows = self._decode_in_parts(batch)
            for index, row in enumerate(rows):
                if len(batch) > 1 or row.draft is not None:
                    rows[index] = self._decided_alone(row)
            seconds = (time.perf_counter() - began) / len(batch)
            for row in rows:
                yield self._completion(row, seconds)

    def batches(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Split requests, by rank and shortest first, into batches within ``batch_tokens``."""
        batch: list[Request] = []
        longest_answer = 0
        for request in sorted(requests, key=lambda r: (r.rank, len(r.prompt_ids), r.key)):
            longest_answer = max(longest_answer, request.max_new_tokens)
            size = (len(batch) + 1) * (len(request.prompt_ids) + longest_answer)
            if batch and (size > self.batch_tokens or request.rank > batch[0].rank):
                yield batch
                batch, longest_answer = [], request.max_new_tokens
            batch.append(request)
        if batch:
            yield batch

    def _decode_in_parts(self, requests: Sequence[Request]) -> list[Row]:
        """Decode a batch, in halves where it does not fit into memory; later ones are smaller."""
        try:
            return self.decode(requests)
        except (torch.OutOfMemoryError, MemoryError):
            if len(requests) == 1:
                raise
        half = len(requests) // 2
        self.batch_tokens = max(1, self.batch_tokens // 2)
        return self._decode_in_parts(requests[:half]) + self._decode_in_parts(requests[half:])

    def decode(self, requests: Sequence[Request]) -> list[Row]:
        """Decode requests in one batch to their ends, whatever their margins."""
        rows = [
            Row(request, Draft(request.draft, self.eos_ids) if self._uses_draft(request) else None)
            for request in requests
        ]
        Batch(rows, head=self.head, decode=self.tokenizer.decode, eos_ids=self.eos_ids).run()
        return rows

    def _decided_alone(self, row: Row) -> Row:
        """Return the row as decoding in the canonical shape has it, alone and without a draft.

        It is decoded again as far as its last narrow margin. The tokens after that are the same
        then, if these are; otherwise all of it is decoded again.
        """
        narrow = [at for at, margin in enumerate(row.margins) if margin < self.threshold]
        if not narrow:
            return row
        asked, far = replace(row.request, draft=()), narrow[-1] + 1
        (again,) = self.decode([replace(asked, max_new_tokens=far)])
        if again.token_ids == row.token_ids[:far]:
            row.margins[:far] = again.margins
            return row
        (again,) = self.decode([asked])
        at = row.parting.position + 1 if row.parting else 0
        if again.token_ids[:at] == row.token_ids[:at]:
            again.parting = row.parting
        return again

    def _uses_draft(self, request: Request) -> bool:
        """Whether guesses can be taken back; a layer that forgets cannot unread a token."""
        return bool(request.draft) and self.head.has_slots

    def _completion(self, row: Row, seconds: float) -> Completion:
        assert row.finish_reason is not None, f"request {row.request.key} was left undecided"
        stop = row.request.stop if row.finish_reason is FinishReason.STOP else ()
        return Completion(
            key=row.request.key,
            text=answer_text(self.tokenizer.decode, row.token_ids, eos_ids=self.eos_ids, stop=stop),
            token_ids=tuple(row.token_ids),
            finish_reason=row.finish_reason,
            margin=min(row.margins),
            seconds=seconds,
            parting=row.parting,
        )
