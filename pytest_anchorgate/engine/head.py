"""A model's two best tokens at the last positions of its inputs.

Logits are computed at these positions only, and a few at a time: with a vocabulary of 150,000 a
batch's logits would take more memory than the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pytest_anchorgate.engine.cache import has_slots
from pytest_anchorgate.engine.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import Cache

LOGITS = 1 << 26  # values of logits that exist at once: 256 MiB in float32


class Head:
    """A loaded model, asked for decisions instead of logits."""

    def __init__(self, model: Any) -> None:  # a PreTrainedModel, whose methods have no types
        self.model = model
        self.device = model.device
        self.has_slots = has_slots(model.config)
        self._threads = Threads(model)
        self._top: Any = self.model.get_output_embeddings()
        self._plain = self._is_plain()
        self._last = torch.empty(0)  # of the last pass: states, or logits where these are not plain

    @torch.inference_mode()
    def _is_plain(self) -> bool:
        """Whether logits are the output layer's and nothing more (no cap, no scale)."""
        ids = torch.tensor([[0, 1]], device=self.device)
        states = self.model.base_model(input_ids=ids).last_hidden_state
        return torch.equal(self.model(input_ids=ids).logits, self._top(states))

    def best(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        positions: torch.Tensor,
        cache: Cache,
        *,
        width: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the best token at each of the last ``width`` inputs, and by how much it is.

        ``ids`` and ``positions`` are (B, T), ``mask`` (B, slots and T); both results (B, width),
        the second the difference of the two largest logits.
        """
        asked = {
            "input_ids": ids,
            "attention_mask": mask.long(),
            "position_ids": positions,
            "past_key_values": cache,
            "use_cache": True,
        }
        with self._threads.for_pass(ids.numel()):
            return self._decide(asked, width)

    def _decide(self, asked: dict[str, Any], width: int) -> tuple[torch.Tensor, torch.Tensor]:
        if not self._plain:
            self._last = self.model(**asked, logits_to_keep=width).logits
            return _two_best(self._last)
        self._last = states = self.model.base_model(**asked).last_hidden_state[:, -width:]
        flat = states.reshape(-1, states.shape[-1])
        rows = max(1, LOGITS // self._top.out_features)
        found = [_two_best(self._top(part)) for part in flat.split(rows)]
        tokens, margins = (torch.cat(parts).view(-1, width) for parts in zip(*found, strict=True))
        return tokens, margins

    def probabilities(
        self, rows: Sequence[int], columns: Sequence[int], tokens: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Return how likely the last pass found ``tokens`` (N, K) at N of its places.

        A place is a row and one of the ``width`` columns that `best` decided.
        """
        found = self._last[list(rows), list(columns)]
        logits = self._top(found) if self._plain else found
        chances = logits.float().softmax(-1)  # (N, vocabulary)
        picked: list[list[float]] = chances.gather(
            1, torch.tensor(tokens, device=self.device)
        ).tolist()
        return picked


def _two_best(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, tokens = logits.float().topk(2)
    return tokens[..., 0], values[..., 0] - values[..., 1]
