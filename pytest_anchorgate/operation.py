"""A surgery in a gated session: what is made before anything is judged, and what comes of it.

Lives on the controller alone. Training and folding are processes of their own; knows nothing of
pytest, and no torch.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_anchorgate.certificate import encode_certificate
from pytest_anchorgate.certify import make_certificate
from pytest_anchorgate.errors import SurgeryError, UsageError
from pytest_anchorgate.gate import ANCHOR, Decision
from pytest_anchorgate.history import make_attempt
from pytest_anchorgate.ledger import FILE, Event, append_attempt
from pytest_anchorgate.pack.atomic import replace_file
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.locate import SUFFIX
from pytest_anchorgate.pack.production import FILE as PRODUCTION
from pytest_anchorgate.pack.production import read_production
from pytest_anchorgate.surgery.child import run_child
from pytest_anchorgate.surgery.examples import refuse_judged
from pytest_anchorgate.surgery.inputs import Inputs
from pytest_anchorgate.surgery.promote import Promotion, promote
from pytest_anchorgate.surgery.rows import write_judged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_anchorgate.gate import Ruling
    from pytest_anchorgate.ledger import Attempt
    from pytest_anchorgate.report.gated import Row
    from pytest_anchorgate.run import Options
    from pytest_anchorgate.session import GateSession

TRAIN, FOLD = "pytest_anchorgate.surgery.train", "pytest_anchorgate.surgery.fold"
REFUSED = "refused"  # within packs/
DIGITS = 12  # of a digest in a name


class Operation:
    """One ``--surgery``: ``prepare`` before the session, ``make`` as it starts, ``conclude``."""

    def __init__(self, options: Options) -> None:
        assert options.surgery is not None, "the session was asked for a surgery"
        self.inputs = Inputs(options.surgery, options.device)
        self.packs, self.store, self.root = options.packs, options.store, options.root
        self._notes: list[str] = []
        self._made: dict[str, Any] = {}

    def prepare(self, gate: GateSession) -> None:
        """Read all that training will read, but for weights, and hold it against the gate.

        :raises UsageError: for a recipe, row or prompt that cannot be trained on.
        """
        planned = [case.task for case in gate.planned().values()]
        self._judged = [task for task in planned if task.suite == ANCHOR]
        refuse_judged(self.inputs.rows, self._judged)
        assert self.inputs.poison, "read_poison refuses an empty file"
        assert self.inputs.prompts is not None, "read and validated"
        self._require_free_name()

    def _require_free_name(self) -> None:
        """Refuse a name that a pack has which no earlier attempt of this surgery has promoted."""
        name = self.inputs.recipe.promotion.name
        if name is None or not (self.packs / f"{name}{SUFFIX}").exists():
            return
        if self._named() != f"{name}{SUFFIX}" and not self._is_made(name):
            raise UsageError(
                f"{self.inputs.path}: promotion.name = {name!r}: {self.packs / name}{SUFFIX} "
                "exists. Name another."
            )

    def make(self, gate: GateSession, instead: Any, say: Callable[[str], None]) -> Path:
        """Return the candidate pack; ``instead`` is the hook that may make it in its own way.

        :raises AnchorgateError: when there is none.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        write_judged(self._judged_file, self._judged)
        theirs = instead(recipe=self.inputs.path, base=self.inputs.base, directory=self.work)
        if theirs is not None:
            if not Path(theirs).is_file():
                raise UsageError(f"{theirs}: pytest_anchorgate_surgery made no such pack.")
            return Path(theirs)
        if self.inputs.recipe.adapter is None and not self._training_report.exists():
            self._run(TRAIN, say)
        if not self._is_made(self._folded_name()):
            self._run(FOLD, say)
            candidate = self._training / "candidate.planck"
            candidate.replace(self.work / f"{self._folded_name()}{SUFFIX}")
        self._made = self._folded()
        self._tell()
        return self._place(self._folded_name() or "")

    @cached_property
    def work(self) -> Path:
        """The directory of this recipe with its rows and base: the next attempt goes on there."""
        judged = [[task.id, task.prompt, task.sentinel] for task in self._judged]
        text = json.dumps([self.inputs.digest, judged])
        return self.store / "surgery" / hashlib.sha256(text.encode()).hexdigest()[:DIGITS]

    @property
    def _training(self) -> Path:
        return self.work / "training"

    @property
    def _training_report(self) -> Path:
        return self._training / "training.json"

    @property
    def _judged_file(self) -> Path:
        return self.work / "judged.jsonl"

    def _run(self, module: str, say: Callable[[str], None]) -> None:
        arguments = [str(self.inputs.path), "--out", str(self._training)]
        arguments += ["--device", self.inputs.device, "--judged", str(self._judged_file)]
        run_child(module, arguments, self.work / "log.txt", say)

    def _folded(self) -> dict[str, Any]:
        """Return what folding reported; nothing before it did."""
        report = self._training / "fold.json"
        found: dict[str, Any] = json.loads(report.read_bytes()) if report.exists() else {}
        return found

    def _folded_name(self) -> str | None:
        """Return the candidate's name, which may be of its digest; None before it was folded."""
        name, digest = self.inputs.recipe.promotion.name, self._folded().get("sha256")
        return f"{self.inputs.path.stem}-{digest[:DIGITS]}" if name is None and digest else name

    def _place(self, name: str) -> Path:
        """Return where the candidate lies: in production once it was promoted."""
        mine, promoted = self.work / f"{name}{SUFFIX}", self.packs / f"{name}{SUFFIX}"
        return mine if mine.exists() or not promoted.exists() else promoted

    def _is_made(self, name: str | None) -> bool:
        """Whether an earlier attempt has folded this candidate, to the same bytes."""
        wanted = self._folded().get("sha256")
        if name is None or wanted is None or not self._place(name).exists():
            return False
        return bool(digest_file(self._place(name)) == wanted)

    def _tell(self) -> None:
        made = self._made
        solved = f", {made['poison_solved']} of {made['poison']} poison rows solved"
        self._notes.append(
            f"surgery: strength {made['strength']:g} of the change, {100 * made['survived']:.1f} % "
            f"of it left after rounding{solved if made['poison'] else ''}"
        )

    @cached_property
    def _settings(self) -> dict[str, str]:
        """What the ledger says besides the pack's own provenance."""
        found = {}
        if self._training_report.exists() and self._made:
            trained = json.loads(self._training_report.read_bytes())
            found["trainable"] = f"{100 * trained['trainable']:.2f} %"
            found["loss"] = f"{trained['loss_before']:.4g} -> {trained['loss_after']:.4g}"
        if self._made:
            found["survived"] = f"{100 * self._made['survived']:.1f} %"
            found["strength"] = f"{self._made['strength']:g}"
            found["poison"] = f"{self._made['poison_solved']} / {self._made['poison']}"
        return found

    def conclude(self, gate: GateSession, rows: Sequence[Row], ruling: Ruling) -> None:
        """Promote or refuse what the gate has decided on, with the attempt on the ledger.

        :raises AnchorgateError: when that failed; production is what it was.
        """
        if ruling.decision not in (Decision.ACCEPTED, Decision.REFUSED):
            raise SurgeryError(
                f"--surgery: neither promoted nor refused, because the run is {ruling.decision}: "
                f"{ruling.reasons[0]}. A surgery is decided by a whole gate."
            )
        attempt = make_attempt(gate, rows, ruling)
        attempt = msgspec.structs.replace(
            attempt, event=Event.SURGERY, settings={**attempt.settings, **self._settings}
        )
        accepted, wanted = ruling.decision is Decision.ACCEPTED, self.inputs.recipe.promotion
        if accepted and wanted.promote:
            self._promote(gate, rows, attempt)
            return
        append_attempt(self.packs / FILE, attempt)
        if accepted:
            self._notes.append(f"not promoted: promotion.promote = false in {self.inputs.path}")
        elif wanted.keep_refused:
            self._archive(gate)
        where = gate.shown(str(self.packs / PRODUCTION))
        self._notes.append(f"{where} is as it was and names {self._named()}")

    def told(self) -> list[str]:
        """Return what the report says of it since the last time."""
        told, self._notes = self._notes, []
        return told

    def _promote(self, gate: GateSession, rows: Sequence[Row], attempt: Attempt) -> None:
        assert gate.run.pack is not None
        source, wanted = Path(gate.run.pack), self.inputs.recipe.promotion
        name = f"{wanted.name}{SUFFIX}" if wanted.name else source.name
        promote(
            Promotion(
                packs=self.packs,
                source=source,
                name=name,
                sha256=gate.run.pack_sha256,
                certificate=encode_certificate(make_certificate(gate, rows, name=name)),
                attempt=msgspec.structs.replace(attempt, pack=name, production=True),
                after=wanted.after_promote,
                root=self.root,
            ),
            say=self._notes.append,
        )
        self._notes.append(f"{gate.shown(str(self.packs / PRODUCTION))} names {self._named()}")

    def _named(self) -> str:
        production = read_production(self.packs)
        return production.pack if production else "no pack"

    def _archive(self, gate: GateSession) -> None:
        assert gate.run.pack is not None
        source = Path(gate.run.pack)
        target = self.packs / REFUSED / source.name
        target.parent.mkdir(exist_ok=True)
        with source.open("rb") as stream, replace_file(target) as file:
            shutil.copyfileobj(stream, file)
        self._notes.append(f"refused pack kept as {gate.shown(str(target))}")
