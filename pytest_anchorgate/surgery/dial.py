"""The dial: how much of a trained change to keep, tried on the anchors before anything is judged.

Each strength is merged and rounded as a pack would be, in a loaded model. Never sees a sentinel.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
import torch

from pytest_anchorgate.surgery.merge import changed_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.engine.transformers import TransformersEngine
    from pytest_anchorgate.pack.format import Pack
    from pytest_anchorgate.surgery.evaluate import Evaluation
    from pytest_anchorgate.surgery.merge import Adapter


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What a model solves with this strength of the change: W + strength * change."""

    strength: float
    anchors_kept: int
    anchors: int
    poison_solved: int
    poison: int
    margin: float

    def holds(self, margin: float) -> bool:
        """Whether no anchor is lost, and none nearer to flipping than ``margin``."""
        return self.anchors_kept == self.anchors and self.margin >= margin


def try_strengths(
    base: Pack,
    adapter: Adapter,
    strengths: Sequence[float],
    *,
    engine: TransformersEngine,
    evaluation: Evaluation,
) -> Iterator[Tried]:
    """Yield what each strength solves; ``engine`` holds the base, and other weights afterwards."""
    weights = dict(engine.model.named_parameters())
    for strength in strengths:
        with torch.no_grad():
            for name, rounded in changed_weights(base, adapter, strength):
                weights[name].copy_(rounded)
        yield Tried(strength=strength, **asdict(evaluation.score(engine)))


def choose(tried: Sequence[Tried], *, margin: float) -> Tried:
    """Return the strength with the largest gain among those that hold.

    Of equal gains the smaller strength is nearer to the base; where no poison row can be judged,
    the largest strength is the gain. If none holds, the one that keeps most anchors is returned:
    the gate refuses it.
    """
    holding = [one for one in tried if one.holds(margin)]
    return max(holding or tried, key=lambda one: (one.anchors_kept, *_gain(one)))


def _gain(one: Tried) -> tuple[float, float]:
    return (one.poison_solved, -one.strength) if one.poison else (one.strength, 0.0)
