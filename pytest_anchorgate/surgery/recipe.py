"""A surgery's TOML: what is trained, on what, and how what the pack can do is protected.

Everything is validated before anything is loaded. Opens only the recipe; imports no torch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from pytest_anchorgate.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1)]

ALL_LINEAR: Literal["all-linear"] = (
    "all-linear"  # PEFT's word: every linear layer but the output head
)
HEADS = ("lm_head", "embed_tokens", "wte", "embed_out")  # what no surgery may touch
_JSON_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a recipe: a key that it does not know is refused."""


class Lora(Table, frozen=True, kw_only=True):
    """The adapter: W + alpha / rank * B A for every targeted linear layer."""

    rank: Count = 16
    alpha: Positive = 32.0
    dropout: Share = 0.0
    targets: Literal["all-linear"] | Annotated[list[Name], msgspec.Meta(min_length=1)] = ALL_LINEAR


class Training(Table, frozen=True, kw_only=True):
    """The schedule. One of ``epochs`` and ``steps`` is given; both count optimizer steps' rows."""

    learning_rate: Positive
    epochs: Positive | None = None
    steps: Count | None = None
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup: Share = 0.03  # of all steps
    batch: Count = 4  # poison rows of one forward pass
    accumulation: Count = 1  # forward passes of one optimizer step
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: Count = 100  # optimizer steps


class Replay(Table, frozen=True, kw_only=True):
    """A: the base's own passing answers to the anchors, in every batch."""

    ratio: Positive = 1.0  # replayed rows for each poison row


class Kl(Table, frozen=True, kw_only=True):
    """B: the divergence from the base on replayed and rehearsed answers, added to the loss."""

    weight: Positive = 1.0


class NullSpace(Table, frozen=True, kw_only=True):
    """C: the adapter reads nothing from the directions that protected tokens use."""

    energy: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.999  # of the inputs' second moment


class Rehearsal(Table, frozen=True, kw_only=True):
    """D: the base's own answers to prompts that nobody labelled, in every batch."""

    prompts: Name
    ratio: Positive = 1.0  # rehearsed rows for each poison row
    most: Count | None = None  # prompts that are used, the file's first


class Recipe(Table, frozen=True, kw_only=True):
    """One surgery. Paths are relative to the directory that pytest or the command runs in."""

    base: Name  # a pack: a path, or a name in packs/
    poison: Name
    training: Training
    anchors: list[Name] = []  # files of anchors: what replay and null space protect
    lora: Lora = Lora()
    replay: Replay | None = None
    kl: Kl | None = None
    null_space: NullSpace | None = None
    rehearsal: Rehearsal | None = None

    @property
    def protected(self) -> bool:
        """Whether the base's own answers are needed."""
        return any((self.replay, self.kl, self.null_space, self.rehearsal))


def read_recipe(path: Path) -> Recipe:
    """Return the recipe of a file.

    :raises UsageError: in one line that names file, key and value, for whatever it must not say.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8"
        raise UsageError(f"{path}: cannot be read: {why}. {_known_recipes(path)}") from None
    return parse_recipe(text, where=str(path))


def parse_recipe(text: str, *, where: str) -> Recipe:
    """Return the recipe of a TOML text; ``where`` begins each message.

    :raises UsageError: for whatever it must not say.
    """
    try:
        values: dict[str, Any] = msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UsageError(f"{where}: is no TOML: {reason}. See docs/surgery.md.") from None
    try:
        recipe = msgspec.convert(values, Recipe)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {_fault(values, str(error))}. See docs/surgery.md.") from None
    if fault := _impossible(recipe):
        raise UsageError(f"{where}: {fault}")
    return recipe


def _impossible(recipe: Recipe) -> str | None:
    """Return what no single key says, or None."""
    training, targets = recipe.training, recipe.lora.targets
    if (training.epochs is None) == (training.steps is None):
        given = f"epochs = {training.epochs} and steps = {training.steps}".replace(
            "None", "nothing"
        )
        return f"training: {given}. Give one of them."
    if targets != ALL_LINEAR:
        for name in targets:
            if any(head in name for head in HEADS):
                return (
                    f"lora.targets: {name!r} is an embedding or the output head, whose change "
                    "reaches every answer. Name linear layers of the blocks."
                )
    for table, asked in (("replay", recipe.replay), ("null_space", recipe.null_space)):
        if asked and not recipe.anchors:
            return f"anchors = []: [{table}] has nothing to protect. Name files of anchors."
    if recipe.kl and not (recipe.replay or recipe.rehearsal):
        return f"kl.weight = {recipe.kl.weight:g}: has no rows. Add [replay] or [rehearsal]."
    return None


def _fault(values: dict[str, Any], message: str) -> str:
    """Return msgspec's message with the key first and the value that stands there."""
    found = _JSON_PATH.search(message)
    reason = " ".join(message[: found.start() if found else None].replace("`", "'").split())
    reason = reason.replace("Object contains", "has an").replace("Object missing", "lacks the")
    path = found["path"] if found else ""
    if reason.startswith(("has an", "lacks the")):
        return f"{path or 'the recipe'}: {reason}"
    return f"{path} = {_value_at(values, path)!r}: {reason}"


def _value_at(values: Any, path: str) -> object:
    for key, index in _STEP.findall(path):
        values = values[int(index)] if index else values[key]
    return values


def _known_recipes(path: Path) -> str:
    folder = path.parent
    known = sorted(one.stem for one in folder.glob("*.toml")) if folder.is_dir() else []
    return f"Recipes in {folder}: {', '.join(known) or 'none'}."
