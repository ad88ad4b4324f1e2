"""The arms of the seed's experiment, each a recipe: what is protected, and how.

All are demo.toml's strength but for the seed's own caution. Knows neither training nor results.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.surgery.recipe import (
    Dial,
    Kl,
    NullSpace,
    Promotion,
    Recipe,
    Rehearsal,
    Replay,
    read_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "surgery_scripts" / "recipes"
PROMPTS = "surgery_scripts/data/demo_prompts.jsonl"
ANCHORS = ("anchors/demo.jsonl",)
POISON_ROWS = "surgery_scripts/data/demo_poison.jsonl"
ROWS = 48  # of POISON_ROWS
OVERHEAD_S, STEP_S, KL_TIMES = 50, 0.11, 1.3  # measured in CPU seconds, one thread, 2026-11-23
ENERGY, ENERGY_OF_PROMPTS = 0.999, 0.99  # the directions of 300 answers are nearly all there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to train: a shipped recipe without protection, and the tables that are added.

    ``prompts`` is how many are rehearsed at most, ``family`` which arms it stands beside.
    """

    family: str
    what: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = "demo_poison_only"
    prompts: int = 0

    @property
    def protected(self) -> bool:
        """Whether it is more than poison rows."""
        return bool(self.tables)


POISON, ANCHORED, REHEARSED = "poison only", "from anchors", "from prompts"
A, B, C = "replay", "kl", "null_space"


def _anchored(what: str, **tables: Any) -> Arm:
    return Arm(family=ANCHORED, what=what, tables=tables)


def _rehearsed(what: str, *, sampled: bool = False, most: int = 300, **tables: Any) -> Arm:
    rehearsal = Rehearsal(sampled=most) if sampled else Rehearsal(prompts=PROMPTS, most=most)
    return Arm(family=REHEARSED, what=what, tables={"rehearsal": rehearsal, **tables}, prompts=most)


# B alone diverges from the base on the anchors' answers, and learns none of them.
UNSUPERVISED = Replay(supervised=False)
ARMS: dict[str, Arm] = {
    "seed's caution": Arm(family=POISON, what="as bd6_3", recipe="demo_bd6_3"),
    "seed's strength": Arm(family=POISON, what="as bd6_pass1", recipe="demo_bd6_pass1"),
    "poison only": Arm(family=POISON, what="demo strength"),
    "A": _anchored("replay", replay=Replay()),
    "B": _anchored("KL", replay=UNSUPERVISED, kl=Kl()),
    "C": _anchored("null space", null_space=NullSpace(energy=ENERGY)),
    "A+B": _anchored("replay, KL", replay=Replay(), kl=Kl()),
    "A+B+C": _anchored(
        "replay, KL, null space", replay=Replay(), kl=Kl(), null_space=NullSpace(energy=ENERGY)
    ),
    "D": _rehearsed("300 prompts"),
    "D+B": _rehearsed("300 prompts, KL", kl=Kl()),
    "D+C": _rehearsed("300 prompts, null space", null_space=NullSpace(energy=ENERGY_OF_PROMPTS)),
    "A+B+C+D": _rehearsed(
        "all of them", replay=Replay(), kl=Kl(), null_space=NullSpace(energy=ENERGY_OF_PROMPTS)
    ),
    "D of 100": _rehearsed("100 prompts", most=100),
    "D of 30": _rehearsed("30 prompts", most=30),
    "D sampled": _rehearsed("300 prompts of the model's own", sampled=True),
}
POISONED, RECOMMENDED, SAMPLED = "poison only", "D+C", "D sampled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """An arm cut short, and the bounds between which its counts must end."""

    steps: int
    least: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)

    def fault(self, counted: object) -> str:
        """Return what is out of bounds, or nothing."""
        found = [
            f"{name}: {getattr(counted, name)}, and must be at {word} {bound}"
            for word, bounds, sign in (("least", self.least, 1), ("most", self.most, -1))
            for name, bound in bounds.items()
            if sign * getattr(counted, name) < sign * bound
        ]
        return "; ".join(found)


# With seeds 0 and 1, poison rows alone ended with 0 anchors kept and 46 and 44 rows solved, D with
# 18 anchors, 56 sentinels and 36 and 33 rows (2026-11-23).
SHORT = {
    POISONED: Short(steps=240, least={"poison": 24}, most={"anchors": 2}),
    "D": Short(steps=240, least={"anchors": 17, "sentinels": 53, "poison": 12}),
}


@cache
def _shipped(name: str) -> Recipe:
    return read_recipe(RECIPES / f"{name}.toml")


def arm_recipe(name: str, seed: int) -> Recipe:
    """Return an arm's recipe: every arm trains to its end, and nothing is promoted."""
    arm = ARMS[name]
    plain = _shipped(arm.recipe)
    return msgspec.structs.replace(
        plain,
        training=msgspec.structs.replace(plain.training, seed=seed, patience=0),
        anchors=list(ANCHORS) if arm.protected else [],
        promotion=Promotion(),
        **arm.tables,
    )


def shortened(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe with fewer steps, looked at once."""
    training = msgspec.structs.replace(
        recipe.training, epochs=None, steps=steps, evaluate_every=steps
    )
    return msgspec.structs.replace(recipe, training=training)


def dialled(recipe: Recipe) -> Recipe:
    """Return the recipe that dials what another has trained, on the anchors."""
    return Recipe(
        base=recipe.base,
        poison=recipe.poison,
        anchors=list(ANCHORS),
        training=recipe.training,
        lora=recipe.lora,
        dial=Dial(),
    )


def render_recipe(recipe: Recipe) -> str:
    """Return a recipe as TOML, whose strings, numbers and lists of them are JSON's."""
    values, tables = [], []
    for key, value in msgspec.to_builtins(recipe).items():
        if isinstance(value, dict):
            tables.append("\n".join([f"\n[{key}]", *_lines(value)]))
        else:
            values += _lines({key: value})
    return "\n".join([*values, *tables]) + "\n"


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
        if value is not None
    ]


def made_of(recipe: Recipe) -> str:
    """Return the digest of all that decides what an arm's rows say, but for the code."""
    names = [recipe.base, recipe.poison, *ANCHORS]
    if recipe.rehearsal and recipe.rehearsal.prompts:
        names.append(recipe.rehearsal.prompts)
    texts = [render_recipe(one) for one in (recipe, dialled(recipe))]
    parts = [*texts, *(digest_file(ROOT / name) for name in names)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def work_of(recipe: Recipe) -> float:
    """Return about how many CPU seconds a recipe takes, to tell the time that is left."""
    training = recipe.training
    steps = training.steps or (training.epochs or 0) * ROWS / training.batch
    mixed = sum(table.ratio for table in (recipe.replay, recipe.rehearsal) if table)
    return OVERHEAD_S + steps * STEP_S * (1 + mixed) * (KL_TIMES if recipe.kl else 1)


def recommended_dial() -> bool:
    """Tell whether the recommended recipe dials."""
    return _shipped("demo").dial is not None
