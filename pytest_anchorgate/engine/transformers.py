"""The engine on Hugging Face transformers: greedy, batched, and equal to batch-of-one decoding.

Runs in the model's own process (and in tests); pytest and xdist workers never import it. It
knows token ids and stop sequences, not tasks or verdicts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from accelerate import init_empty_weights
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, PreTrainedModel

from pytest_anchorgate.engine.protocol import Completion, FinishReason, Request, answer_text
from pytest_anchorgate.pack.architecture import read_architecture, require_fit
from pytest_anchorgate.pack.read import iter_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.pack.format import Pack

# Two ways to compute one logit (another batch size, another padding) differ by rounding. Largest
# difference of a margin between batches of 128 and of one, demo pack, CPU, float32: 2.9e-5
# (2026-11-22); a row under 35 times that is decoded again alone. The 16-bit values are reckoned,
# not measured: two and four units in the last place of logits between 16 and 32.
MARGIN_THRESHOLD = {"float32": 1e-3, "bfloat16": 0.25, "float16": 0.0625}


def load_model(pack: Pack, *, device: str, dtype: str) -> PreTrainedModel:
    """Return the pack's model in evaluation mode, its weights assigned one tensor at a time.

    BF16 weights are upcast exactly when ``dtype`` is wider. The digest of every tensor is
    verified while it is read.

    :raises PackError: when a tensor is missing, unexpected, damaged or shaped against the config.
    """
    where = str(pack.path)
    architecture = read_architecture(where, pack.config)
    require_fit(where, architecture, {entry.name: entry.shape for entry in pack.weights})
    build: Any = AutoModelForCausalLM.from_config  # transformers leaves it untyped
    with init_empty_weights(include_buffers=False):
        model: Any = build(AutoConfig.for_model(**pack.config), attn_implementation="sdpa")
    weights = {
        name: tensor.to(device=device, dtype=getattr(torch, dtype))
        for name, tensor in iter_tensors(pack)
    }
    missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
    model.tie_weights()
    assert set(missing) <= architecture.tied.keys(), f"left out: {missing}"
    assert not unexpected, f"never asked for: {unexpected}"
    left = [name for name, tensor in model.named_parameters() if tensor.is_meta]
    assert not left, f"parameters left on meta: {left}"
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded


@dataclass(slots=True)
class _Row:
    """One request on its way through a batch."""

    request: Request
    token_ids: list[int] = field(default_factory=list)
    text: str = ""
    margin: float = float("inf")
    finish_reason: FinishReason | None = None


class TransformersEngine:
    """A loaded pack that completes prompts greedily.

    ``batch_tokens`` bounds rows times (longest prompt + longest completion) of one batch.
    """

    def __init__(
        self, pack: Pack, *, device: str = "cpu", dtype: str = "float32", batch_tokens: int = 16384
    ) -> None:
        self.model = load_model(pack, device=device, dtype=dtype)
        self.tokenizer = Tokenizer.from_str(pack.asset("tokenizer.json").decode())
        self.eos_ids = frozenset(pack.eos_token_ids)
        self.device = device
        self.batch_tokens = batch_tokens
        self.threshold = MARGIN_THRESHOLD[dtype]

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield one completion per request, shortest prompts first.

        A row whose margin is under the threshold is decoded again alone, so completions do not
        depend on the batch they were in.
        """
        for batch in self.batches(requests):
            began = time.perf_counter()
            rows = self._decode(batch)
            for index, row in enumerate(rows):
                if len(batch) > 1 and row.margin < self.threshold:
                    rows[index] = self._decode([row.request])[0]
            seconds = (time.perf_counter() - began) / len(batch)
            for row in rows:
                yield _completion(row, seconds)

    def batches(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Split requests, shortest first, into batches within ``batch_tokens``."""
        batch: list[Request] = []
        longest_answer = 0
        for request in sorted(requests, key=lambda r: (len(r.prompt_ids), r.key)):
            longest_answer = max(longest_answer, request.max_new_tokens)
            size = (len(batch) + 1) * (len(request.prompt_ids) + longest_answer)
            if batch and size > self.batch_tokens:
                yield batch
                batch, longest_answer = [], request.max_new_tokens
            batch.append(request)
        if batch:
            yield batch

    @torch.inference_mode()
    def _decode(self, batch: Sequence[Request]) -> list[_Row]:
        """Decode one batch to its end; finished rows leave it on the way."""
        rows = [_Row(request) for request in batch]
        ids, mask = self._padded(batch)
        cache = DynamicCache(config=self.model.config)
        active = list(rows)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)  # (B, T)
        while active:
            output: Any = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            values, choices = output.logits[:, -1].float().topk(2)  # (B, 2)
            margins = (values[:, 0] - values[:, 1]).tolist()
            for row, token, margin in zip(active, choices[:, 0].tolist(), margins, strict=True):
                self._extend(row, token, margin)
            going = [index for index, row in enumerate(active) if row.finish_reason is None]
            ids, mask, positions = choices[:, :1], _grown(mask), positions[:, -1:] + 1
            if len(going) < len(active):
                keep = torch.tensor(going, device=self.device, dtype=torch.long)
                ids, mask, positions = ids[keep], mask[keep], positions[keep]
                if going:
                    cache.batch_select_indices(keep)
                active = [active[index] for index in going]
        return rows

    def _padded(self, batch: Sequence[Request]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return left-padded prompt ids and their mask, both (B, T)."""
        longest = max(len(request.prompt_ids) for request in batch)
        pad = min(self.eos_ids)  # masked, so any id that exists will do
        ids = [[pad] * (longest - len(r.prompt_ids)) + list(r.prompt_ids) for r in batch]
        mask = [[0] * (longest - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in batch]
        return (
            torch.tensor(ids, device=self.device),
            torch.tensor(mask, device=self.device),
        )

    def _extend(self, row: _Row, token: int, margin: float) -> None:
        """Append one token and decide whether the row is finished."""
        row.token_ids.append(token)
        row.margin = min(row.margin, margin)
        if token in self.eos_ids:
            row.finish_reason = FinishReason.EOS
        elif self._stops(row):
            row.finish_reason = FinishReason.STOP
        elif len(row.token_ids) == row.request.max_new_tokens:
            row.finish_reason = FinishReason.LENGTH
        if row.finish_reason is not None:
            row.text = answer_text(
                self.tokenizer.decode, row.token_ids, eos_ids=self.eos_ids, stop=row.request.stop
            )

    def _stops(self, row: _Row) -> bool:
        """Whether the newest tokens complete a stop sequence.

        A token is at least one byte, so a stop sequence lies within its own number of bytes of
        tokens; three more complete a character that the window's start may cut.
        """
        stop = row.request.stop
        if not stop:
            return False
        window = max(len(sequence.encode()) for sequence in stop) + 3
        tail = self.tokenizer.decode(row.token_ids[-window:])
        return any(sequence in tail for sequence in stop)


def _grown(mask: torch.Tensor) -> torch.Tensor:
    return torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)


def _completion(row: _Row, seconds: float) -> Completion:
    assert row.finish_reason is not None, f"request {row.request.key} was left undecided"
    return Completion(
        key=row.request.key,
        text=row.text,
        token_ids=tuple(row.token_ids),
        finish_reason=row.finish_reason,
        margin=row.margin,
        seconds=seconds,
    )
