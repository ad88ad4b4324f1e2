"""What one recipe names, read and validated: the base, its prompts' form, rows, anchors.

Opens files and no weights; imports no torch. Each part is read when it is first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.engine.protocol import engine_identity
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.pack.provenance import TRAINED_ON, render_trained_on, trained_on
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.surgery.examples import Example, poison_examples, refuse_judged
from pytest_anchorgate.surgery.recipe import Recipe, read_recipe
from pytest_anchorgate.surgery.rows import Row, read_judged, read_poison, read_prompts
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_anchorgate.tasks.task import Task

PACKS = Path("packs")
MAX_NEW_TOKENS = 512


@dataclass(frozen=True)
class Inputs:
    """One recipe's inputs. ``judged`` is a file of the prompts that the session will judge."""

    path: Path
    device: str = "auto"
    judged: Path | None = None

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, validated."""
        return read_recipe(self.path)

    @cached_property
    def base(self) -> Path:
        """Where the base pack is."""
        return find_pack(self.recipe.base, PACKS)

    @cached_property
    def prompter(self) -> Prompter:
        """How the gate puts tasks to the base."""
        return Prompter.load(
            str(self.base),
            sha256=digest_file(self.base),
            identity=engine_identity("transformers", device=self.device, dtype="auto"),
            style=None,
            max_new_tokens=MAX_NEW_TOKENS,
        )

    @cached_property
    def anchors(self) -> tuple[Task, ...]:
        """The anchors of the recipe that training may see."""
        return tuple(task for task in self._named if not task.sentinel)

    @cached_property
    def _named(self) -> tuple[Task, ...]:
        given = self.recipe.references
        files = {"mbpp": given.mbpp, "humaneval": given.humaneval}
        resolve = {name: parse_suite_spec(path) for name, path in files.items() if path}
        specs = [parse_suite_spec(name) for name in self.recipe.anchors]
        return load_suite("anchor", specs, resolve=resolve) if specs else ()

    @cached_property
    def unseen(self) -> tuple[Task, ...]:
        """All that a gate judges: no row may be one of these, and no rehearsed prompt."""
        return (*self._named, *(read_judged(self.judged) if self.judged else ()))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The poison rows."""
        rows = read_poison(Path(self.recipe.poison))
        refuse_judged(rows, self.unseen)
        return rows

    @cached_property
    def poison(self) -> list[Example]:
        """The poison rows as what is learned."""
        return poison_examples(self.rows, self.prompter)

    @cached_property
    def prompts(self) -> tuple[Task, ...]:
        """The prompts of the recipe's file that nobody labelled."""
        rehearsal = self.recipe.rehearsal
        if rehearsal is None or rehearsal.prompts is None:
            return ()
        return read_prompts(Path(rehearsal.prompts), excluded=self.unseen, most=rehearsal.most)

    @property
    def pad(self) -> int:
        """The id that fills rows up; masked, so any that exists will do."""
        return self.prompter.pack.eos_token_ids[0]

    @cached_property
    def digest(self) -> list[str]:
        """The digests of everything that decides what training makes, the base's first."""
        files = [self.path, Path(self.recipe.poison)]
        files += [parse_suite_spec(name).path for name in self.recipe.anchors]
        given = self.recipe.references
        files += [parse_suite_spec(name).path for name in (given.mbpp, given.humaneval) if name]
        if self.recipe.rehearsal and self.recipe.rehearsal.prompts:
            files.append(Path(self.recipe.rehearsal.prompts))
        if self.recipe.adapter:
            files += sorted(Path(self.recipe.adapter).glob("adapter_*"))
        if self.judged:
            files.append(self.judged)
        return [self.prompter.sha256, *map(digest_file, files)]

    def provenance(self, solved: Iterable[str]) -> dict[str, str]:
        """Return what the candidate says of how it was made, and of what it was trained on.

        ``solved`` are the ids of the recipe's anchors that the base solves: no other is replayed.
        """
        named = (row.id for row in self.rows if row.id != row.task.origin)
        known = [*trained_on(self.prompter.pack), *named]
        replayed = solved if self.recipe.replay else ()
        return {
            "recipe": self.path.stem,
            **self.recipe.settings,
            "poison_rows": f"{len(self.rows)}",
            "rows_sha256": digest_file(Path(self.recipe.poison)),
            TRAINED_ON: render_trained_on([*known, *replayed]),
        }
