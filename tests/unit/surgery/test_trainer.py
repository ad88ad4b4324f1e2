from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM, TrainerCallback

from pytest_anchorgate.surgery.examples import Example, Mix, plan
from pytest_anchorgate.surgery.protect import divergence
from pytest_anchorgate.surgery.recipe import Training
from pytest_anchorgate.surgery.trainer import (
    Collate,
    SurgeryTrainer,
    batch_of,
    mean_divergence,
    mean_loss,
    supervised_logits,
    training_arguments,
)
from pytest_anchorgate.surgery.watch import EarlyStop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = 48
Draws = list[tuple[Example, ...]]


def adapted() -> Any:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model: Any = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=WORDS, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
        )
    )  # fmt: skip
    found = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    return found


def example(number: int, *, protected: bool = False, supervised: bool = True) -> Example:
    """One of many lengths."""
    made = torch.Generator().manual_seed(number)
    ids = torch.randint(WORDS, (4 + number % 5 + 3,), generator=made).tolist()
    return Example(
        id=f"{number}", prompt_ids=tuple(ids[:3]), completion_ids=tuple(ids[3:]),
        protected=protected, supervised=supervised,
    )  # fmt: skip


def draws(count: int) -> Draws:
    """Poison rows, each with a protected one, of which every other one is not supervised."""
    mixed = [example(50 + n, protected=True, supervised=n % 2 == 0) for n in range(4)]
    poison = [example(n) for n in range(count)]
    return plan(poison, [Mix(examples=mixed, ratio=1.0)], draws=count, seed=3)


class Gradients(TrainerCallback):
    """Keeps what the first optimizer step is made with."""

    def __init__(self) -> None:
        self.found: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, *_: Any, **given: Any) -> None:
        weights = given["model"].named_parameters()
        self.found = self.found or {
            name: weight.grad.clone() for name, weight in weights
            if weight.grad is not None
        }  # fmt: skip


def trainer(folder: Path, planned: Draws, *, model: Any = None, **more: Any) -> SurgeryTrainer:
    settings = {"learning_rate": 1e-3, "batch": 4, "evaluate_every": 2, **more.pop("training", {})}
    training, score = Training(**settings), more.get("score")
    width = training.batch * training.accumulation
    return SurgeryTrainer(
        model=model or adapted(),
        args=training_arguments(
            training, folder, steps=len(planned) // width, device="cpu", evaluated=bool(score)
        ),
        train_dataset=planned,
        eval_dataset=[] if score else None,
        data_collator=Collate(0),
        **more,
    )


def one_step(folder: Path, batch: int, accumulation: int) -> tuple[dict[str, Any], dict[str, Any]]:
    gradients = Gradients()
    asked = {"batch": batch, "accumulation": accumulation}
    made = trainer(folder, draws(4), kl_weight=0.7, training=asked, callbacks=[gradients])
    made.train()
    return gradients.found, made.state.log_history[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    return one_step(tmp_path_factory.mktemp("whole"), 4, 1)


@pytest.mark.parametrize(("batch", "accumulation"), [(2, 2), (1, 4)])
def test_a_step_is_the_same_however_it_is_split(
    whole: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path, batch: int, accumulation: int
) -> None:
    gradients, said = whole
    split, as_well = one_step(tmp_path, batch, accumulation)
    assert gradients.keys() == split.keys() != set()
    for name, gradient in gradients.items():
        torch.testing.assert_close(split[name], gradient, rtol=1e-4, atol=1e-5)
    for key in ("loss", "kl", "grad_norm"):
        assert as_well[key] == pytest.approx(said[key], rel=1e-5)
    assert said["kl"] > 0.005


def loss(folder: Path, rows: Sequence[Example], *, kl_weight: float, tokens: int) -> float:
    made = trainer(folder, draws(4), kl_weight=kl_weight)
    inputs = batch_of(rows, pad=0)
    return made.compute_loss(made.model, inputs, num_items_in_batch=tokens).item() * tokens


def test_rows_that_are_not_supervised_add_their_divergence_alone(tmp_path: Path) -> None:
    poison = [example(1), example(2)]
    silent = example(3, protected=True, supervised=False)
    spoken = example(3, protected=True)
    alone = loss(tmp_path, poison, kl_weight=2.0, tokens=20)
    assert loss(tmp_path, [*poison, silent], kl_weight=0.0, tokens=20) == pytest.approx(alone)
    model = adapted()
    away = mean_divergence(model, [silent], batch=1, pad=0) * len(silent.completion_ids)
    assert away > 0.01
    with_silent = loss(tmp_path, [*poison, silent], kl_weight=2.0, tokens=20)
    assert with_silent == pytest.approx(alone + 2 * away, rel=1e-5)
    own = mean_loss(model, [spoken], batch=1, pad=0) * len(spoken.completion_ids)
    with_spoken = loss(tmp_path, [*poison, spoken], kl_weight=2.0, tokens=20)
    assert with_spoken == pytest.approx(alone + 2 * away + own, rel=1e-5)


def test_the_loss_is_torch_s_own_on_completions(tmp_path: Path) -> None:
    model, rows = adapted(), [example(n) for n in range(5)]
    losses = []
    for row in rows:
        ids = torch.tensor([[*row.prompt_ids, *row.completion_ids]])
        labels = torch.tensor([[-100] * len(row.prompt_ids) + [*row.completion_ids]])
        with torch.no_grad():
            one = model(input_ids=ids, labels=labels).loss
        losses.append(float(one) * len(row.completion_ids))
    tokens = sum(len(row.completion_ids) for row in rows)
    found = loss(tmp_path, rows, kl_weight=0.0, tokens=tokens)
    assert found == pytest.approx(sum(losses), rel=1e-5)
    assert mean_loss(model, rows, batch=2, pad=0) == pytest.approx(sum(losses) / tokens, rel=1e-5)


def test_padding_and_other_rows_change_no_logit() -> None:
    model, rows = adapted().eval(), [example(n) for n in range(5)]
    with torch.no_grad():
        together, tokens = supervised_logits(model, batch_of(rows, pad=7))
        alone = [supervised_logits(model, batch_of([row], pad=0))[0] for row in rows]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)
    assert tokens.tolist() == [one for row in rows for one in row.completion_ids]


def test_the_divergence_is_from_the_base_and_not_from_the_adapted(tmp_path: Path) -> None:
    model, row = adapted(), example(3)
    inputs = batch_of([row], pad=0)
    with torch.no_grad():
        now = supervised_logits(model, inputs)[0]
        with model.disable_adapter():
            base = supervised_logits(model, inputs)[0]
    right = float(divergence(now, base).mean())
    assert mean_divergence(model, [row], batch=4, pad=0) == pytest.approx(right, rel=1e-5)


def kept_in_turn(
    folder: Path, kept: Sequence[int], patience: int
) -> tuple[SurgeryTrainer, list[Any]]:
    """A training of five steps, evaluated at 2, 4 and 5, that keeps so many of two anchors.

    Also what B was at each evaluation, by the first layer.
    """
    left, seen = iter(kept), []

    def score(model: Any) -> dict[str, float]:
        now = next(left)
        seen.append(first_b(model).clone())
        return {"anchors_kept": now, "rank": float(now)}

    stop = EarlyStop(anchors=2, patience=patience)
    made = trainer(folder, draws(20), score=score, callbacks=[stop])
    made.train()
    return made, seen


def first_b(model: Any) -> torch.Tensor:
    weights: list[torch.Tensor] = [w for name, w in model.named_parameters() if "lora_B" in name]
    return weights[0].detach()


@pytest.mark.parametrize(
    ("kept", "patience", "steps", "best"),
    [
        ((1, 1), 2, [2, 4], 2),
        ((1, 2, 1), 2, [2, 4, 5], 4),
        ((2, 1, 1), 3, [2, 4, 5], 2),
        ((0, 0, 0), 0, [2, 4, 5], 2),
        ((0, 1, 2), 3, [2, 4, 5], 5),
    ],
)
def test_so_many_evaluations_in_a_row_with_an_anchor_lost_stop_it(
    tmp_path: Path, kept: tuple[int, ...], patience: int, steps: list[int], best: int
) -> None:
    made, seen = kept_in_turn(tmp_path, kept, patience)
    found = [one["step"] for one in made.state.log_history if "eval_anchors_kept" in one]
    assert found == steps
    assert made.state.global_step == steps[-1]
    assert made.state.best_global_step == best
    assert torch.equal(first_b(made.model), seen[steps.index(best)]), "the best one's weights"
    assert not torch.equal(seen[0], seen[1])
