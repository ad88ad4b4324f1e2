"""Make poison rows of what a gate's report says that a pack fails.

    pytest --pack demo-v1 -m "mbpp or humaneval" --gate-json gate.json
    python surgery_scripts/build_poison_set.py gate.json poison.jsonl --mbpp mbpp.jsonl:11-110

GATE.json is the report; the suites' files, or own rows with a `reference` (--rows), have the
solutions. Each is verified in the sandbox, as the pack's prompt style asks for it. Anchors and
sentinels are left out: the report's, and those of --anchors. See docs/surgery.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.engine.protocol import engine_identity
from pytest_anchorgate.errors import AnchorgateError, UsageError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.poison import (
    choose,
    own_answers,
    parted,
    read_failures,
    read_references,
    render_rows,
    too_long,
    verified,
)
from pytest_anchorgate.tasks.prompt import PromptStyle, render_prompt
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_anchorgate.surgery.poison import Failures
    from pytest_anchorgate.surgery.rows import Row
    from pytest_anchorgate.tasks.prompt import Prompt
    from pytest_anchorgate.tasks.task import Task

PACKS = Path("packs")
MAX_NEW_TOKENS = 512
TRAINED_ON = (
    "These tasks are training data from now on. A pack that learns them says so, and the gate's "
    "report shows them apart from unseen tasks."
)


def main() -> int:
    """Write the rows; return 0, or 2 for what cannot be."""
    try:
        Build(parse_options()).write()
    except AnchorgateError as error:
        print(f"build_poison_set: {error}", file=sys.stderr)
        return 2
    return 0


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gate", metavar="GATE.json", type=Path)
    parser.add_argument("out", metavar="OUT.jsonl", type=Path)
    parser.add_argument("--mbpp", metavar="PATH[:first-last]")
    parser.add_argument("--humaneval", metavar="PATH[:first-last]")
    parser.add_argument("--rows", metavar="PATH", type=Path, action="append", default=[])
    parser.add_argument("--anchors", metavar="PATH", action="append", default=[])
    parser.add_argument("--unseen", metavar="SHARE", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pack", help="its prompt style, instead of the report's")
    parser.add_argument(
        "--own-samples", metavar="K", type=int, default=0,
        help="the pack's own first answer of K that passes stands before the reference",
    )  # fmt: skip
    return parser.parse_args()


@dataclass(frozen=True)
class Build:
    """One report's rows."""

    options: argparse.Namespace

    def write(self) -> None:
        """Write the rows, and say what became of every failure."""
        self._require_possible()
        rows, left_out = choose(self.failures, self._references, self._anchors)
        passing = []
        with Sandbox() as sandbox:
            own = self._own(rows, sandbox)
            for row, fault in verified(rows, self._prompt, own=own, sandbox=sandbox):
                if why := fault or (self._prompter and too_long(row, self._prompter)):
                    left_out[row.id] = why
                else:
                    passing.append(row)
        for line in _reasons(left_out):
            print(line)
        if not passing:
            raise UsageError(
                f"{self.failures.path}: of its {len(self.failures.failed)} failures none can be a "
                "row. Give the files that have their references."
            )
        self._write(passing, own)

    def _write(self, rows: list[Row], own: dict[str, str]) -> None:
        out: Path = self.options.out
        taught, unseen = parted(rows, share=self.options.unseen, seed=self.options.seed)
        suites = Counter(row.task.suite for row in taught)
        write_file(out, render_rows(taught), parents=True)
        counts = ", ".join(f"{count} {suite}" for suite, count in suites.items())
        print(
            f"{out}: {len(taught)} rows of {len(self.failures.failed)} failures ({counts}), "
            f"{sum(row.id in own for row in taught)} answered by the pack itself"
        )
        if unseen:
            path = out.with_name(f"{out.stem}.unseen.jsonl")
            write_file(path, render_rows(unseen))
            print(f"{path}: {len(unseen)} rows more, to stay unseen")
        print(TRAINED_ON)

    @cached_property
    def failures(self) -> Failures:
        """What the report says."""
        return read_failures(self.options.gate)

    def _require_possible(self) -> None:
        options = self.options
        if not 0 <= options.unseen < 1:
            raise UsageError(f"--unseen={options.unseen:g}: is no share. Give 0 up to below 1.")
        if options.own_samples < 0:
            raise UsageError(f"--own-samples={options.own_samples}: is no number of samples.")
        if options.own_samples and not options.pack:
            raise UsageError(
                f"--own-samples={options.own_samples}: whose? Name the pack with --pack."
            )
        if self.failures.style is PromptStyle.CHAT and not options.pack:
            raise UsageError(
                f"{options.gate}: was asked in the style 'chat', whose template the pack has. "
                "Name the pack with --pack."
            )
        judged = self.failures.pack_sha256
        if self._prompter and judged and self._prompter.sha256 != judged:
            raise UsageError(
                f"--pack={options.pack}: has sha256 {self._prompter.sha256[:12]}, the report's "
                f"pack {judged[:12]}. Give the pack that the report is of."
            )

    @cached_property
    def _specs(self) -> dict[str, str]:
        given = {"mbpp": self.options.mbpp, "humaneval": self.options.humaneval}
        return {name: text for name, text in given.items() if text}

    @cached_property
    def _references(self) -> dict[str, Row]:
        suites = {name: parse_suite_spec(text) for name, text in self._specs.items()}
        return read_references(suites, self.options.rows)

    @cached_property
    def _anchors(self) -> tuple[Task, ...]:
        files = [parse_suite_spec(text) for text in self.options.anchors]
        resolve = {name: parse_suite_spec(text) for name, text in self._specs.items()}
        return load_suite("anchor", files, resolve=resolve) if files else ()

    @cached_property
    def _prompter(self) -> Prompter | None:
        if not self.options.pack:
            return None
        pack = find_pack(self.options.pack, PACKS)
        return Prompter.load(
            str(pack),
            sha256=digest_file(pack),
            identity=engine_identity("transformers", device="auto", dtype="auto"),
            style=None,
            max_new_tokens=MAX_NEW_TOKENS,
        )

    def _prompt(self, task: Task) -> Prompt:
        if self._prompter:
            return self._prompter.prompt(task)
        return render_prompt(task, self.failures.style or PromptStyle.DOCSTRING)

    def _own(self, rows: list[Row], sandbox: Sandbox) -> dict[str, str]:
        if not (self._prompter and self.options.own_samples):
            return {}
        return own_answers(
            rows, self._prompter, count=self.options.own_samples, seed=self.options.seed,
            sandbox=sandbox,
        )  # fmt: skip


def _reasons(left_out: dict[str, str]) -> Iterable[str]:
    """Return a line for each reason, with the tasks that it left out."""
    for why in dict.fromkeys(left_out.values()):
        tasks = [task_id for task_id, reason in left_out.items() if reason == why]
        yield f"left out, {why}: {', '.join(tasks)}"


if __name__ == "__main__":
    sys.exit(main())
