from __future__ import annotations

from pathlib import Path

import pytest

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.surgery.recipe import parse_recipe, read_recipe

RECIPES = Path(__file__).parents[3] / "surgery_scripts" / "recipes"
LEAST = """
base = "demo-v1"
poison = "poison.jsonl"
anchors = ["anchors/demo.jsonl"]
[training]
learning_rate = 1e-4
epochs = 1
"""


def test_what_is_not_said_has_the_usual_value() -> None:
    recipe = parse_recipe(LEAST, where="r.toml")
    assert recipe.lora.targets == "all-linear"
    assert (recipe.lora.rank, recipe.training.schedule, recipe.training.batch) == (16, "cosine", 4)
    assert recipe.settings["protections"] == "none"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("[replay]\n[kl]\nweight = 0.5", "replay 1, kl 0.5"),
        ("[null_space]", "null space 0.999"),
        ("[rehearsal]\nsampled = 30\nratio = 2", "rehearsal 2"),
    ],
)
def test_the_settings_name_each_protection(tables: str, said: str) -> None:
    recipe = parse_recipe(f"{LEAST}{tables}\n", where="r.toml")
    assert recipe.settings["protections"] == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[training]", "[training]\nepocs = 2"), "training: has an unknown field 'epocs'"),
        (("epochs = 1", "epochs = 0"), r"training.epochs = 0: Expected `?.* > 0"),
        (("epochs = 1", "epochs = 'two'"), "training.epochs = 'two': Expected"),
        (("epochs = 1", ""), "training: epochs = nothing and steps = nothing. Give one"),
        (("epochs = 1", "epochs = 1\nsteps = 7"), "epochs = 1.0 and steps = 7. Give one"),
        (('base = "demo-v1"', ""), "the recipe: lacks the required field 'base'"),
        (("[training]", "[lora]\nrank = 0\n[training]"), "lora.rank = 0: Expected"),
        (("[training]", "[lora]\ndropout = 1.0\n[training]"), "lora.dropout = 1.0: Expected"),
        (
            ("[training]", '[lora]\ntargets = ["q_proj", "lm_head"]\n[training]'),
            "lora.targets: 'lm_head' is an embedding or the output head",
        ),
        (
            ("[training]", '[lora]\ntargets = ["q_proj", 3]\n[training]'),
            r"lora.targets\[1\] = 3: Expected",
        ),
        (("[training]", "[null_space]\nenergy = 1.5\n[training]"), "null_space.energy = 1.5"),
        (("[training]", "[kl]\nweight = 2\n[training]"), r"kl.weight = 2: has no rows. Add \[rep"),
        (
            ('anchors = ["anchors/demo.jsonl"]\n[training]', "[replay]\n[training]"),
            r"anchors = \[\]: \[replay\] has nothing to hold to",
        ),
        (("epochs = 1", "epochs = 1\nschedule = 'step'"), "training.schedule = 'step': Invalid"),
        (("[training]", "[training"), "is no TOML: "),
    ],
)
def test_what_cannot_be_is_one_line_with_key_and_value(change: tuple[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        parse_recipe(LEAST.replace(*change), where="r.toml")
    assert str(error.value).startswith("r.toml: ")
    assert "\n" not in str(error.value)


def test_a_missing_recipe_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(LEAST)
    with pytest.raises(UsageError, match=r"big.toml: cannot be read: No such.*: small\.$"):
        read_recipe(tmp_path / "big.toml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_one(path: Path) -> None:
    assert read_recipe(path).base
