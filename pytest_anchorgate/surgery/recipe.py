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
FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Suite = Literal["anchor", "mbpp", "humaneval", "livecodebench", "suite"]

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
    evaluate_every: Count = 100  # steps; each evaluation leaves a checkpoint
    # evaluations in a row with an anchor lost, after which it stops; 0: never
    patience: Annotated[int, msgspec.Meta(ge=0)] = 3


class Replay(Table, frozen=True, kw_only=True):
    """A: the base's own passing answers to the anchors, in every batch."""

    ratio: Positive = 1.0  # replayed rows for each poison row
    supervised: bool = True  # whether the loss counts them; without, they serve KL and null space


class Kl(Table, frozen=True, kw_only=True):
    """B: the divergence from the base on replayed and rehearsed answers, added to the loss."""

    weight: Positive = 1.0


class NullSpace(Table, frozen=True, kw_only=True):
    """C: the adapter reads nothing from the directions that protected tokens use."""

    energy: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.999  # of the inputs' second moment


class Rehearsal(Table, frozen=True, kw_only=True):
    """D: the base's own answers to prompts that nobody labelled, in every batch."""

    prompts: Name | None = None
    most: Count | None = None  # prompts that are used, the file's first
    sampled: Count | None = None  # prompts that the base itself makes up, besides
    ratio: Positive = 1.0  # rehearsed rows for each poison row


class Dial(Table, frozen=True, kw_only=True):
    """Which strengths of the trained change are tried on the anchors; the best is merged."""

    strengths: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)] = (0.25, 0.5, 0.75, 1.0)
    margin: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # that each anchor's answer keeps, in logits


class Gate(Table, frozen=True, kw_only=True):
    """What the session must judge for a promotion."""

    suites: Annotated[tuple[Suite, ...], msgspec.Meta(min_length=1)] = ("anchor",)


class Promotion(Table, frozen=True, kw_only=True):
    """What becomes of the candidate."""

    name: FileName | None = None  # in packs/, without .planck; None: the recipe's with the digest
    promote: bool = False  # when the gate accepts it
    keep_refused: bool = False  # in packs/refused/
    after_promote: Name | None = None  # a command; when it fails, the promotion is taken back


class References(Table, frozen=True, kw_only=True):
    """Files of the suites that rows of anchors refer to."""

    mbpp: Name | None = None
    humaneval: Name | None = None


NOT_TRAINED = Training(learning_rate=1.0)  # by identity: the recipe has no such table


class Recipe(Table, frozen=True, kw_only=True):
    """One surgery. Paths are relative to the directory that pytest or the command runs in."""

    base: Name  # a pack: a path, or a name in packs/
    poison: Name
    training: Training = NOT_TRAINED
    anchors: list[Name] = []  # files of anchors: what replay and null space protect
    lora: Lora = Lora()
    replay: Replay | None = None
    kl: Kl | None = None
    null_space: NullSpace | None = None
    rehearsal: Rehearsal | None = None
    dial: Dial | None = None
    gate: Gate = Gate()
    promotion: Promotion = Promotion()
    references: References = References()
    adapter: Name | None = None  # trained elsewhere: a directory as PEFT writes it

    @property
    def settings(self) -> dict[str, str]:
        """What the ledger and the pack say of this recipe."""
        training, lora = self.training, self.lora
        if self.adapter is not None:
            return {"adapter": self.adapter}
        length = {"epochs": training.epochs, "steps": training.steps}
        return {
            "rank": f"{lora.rank}",
            "alpha": f"{lora.alpha:g}",
            "lr": f"{training.learning_rate:g}",
            **{name: f"{value:g}" for name, value in length.items() if value is not None},
            "batch": f"{training.batch * training.accumulation}",
            "seed": f"{training.seed}",
            "protections": self._protections or "none",
        }

    @property
    def _protections(self) -> str:
        """Which of A, B, C and D are on, each with its strength."""
        found = []
        if self.replay:
            found.append(f"replay {self.replay.ratio:g}")
        if self.kl:
            found.append(f"kl {self.kl.weight:g}")
        if self.null_space:
            found.append(f"null space {self.null_space.energy:g}")
        if self.rehearsal:
            found.append(f"rehearsal {self.rehearsal.ratio:g}")
        return ", ".join(found)


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
    if recipe.adapter is not None:
        if training is not NOT_TRAINED:
            return f"adapter = {recipe.adapter!r}: stands beside [training]. Give one of them."
        return _unfounded(recipe)
    if training is NOT_TRAINED:
        return "has neither [training] nor adapter. Give one of them."
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
    return _unfounded(recipe)


def _unfounded(recipe: Recipe) -> str | None:
    """Return which table has nothing to work on, or None."""
    tables = {"replay": recipe.replay, "null_space": recipe.null_space, "dial": recipe.dial}
    for table, asked in tables.items():
        if asked and not recipe.anchors:
            return f"anchors = []: [{table}] has nothing to hold to. Name files of anchors."
    if recipe.kl and not (recipe.replay or recipe.rehearsal):
        return f"kl.weight = {recipe.kl.weight:g}: has no rows. Add [replay] or [rehearsal]."
    rehearsal = recipe.rehearsal
    if rehearsal and rehearsal.prompts is None and rehearsal.sampled is None:
        return "rehearsal: has neither prompts nor sampled. Name a file, or how many to sample."
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
