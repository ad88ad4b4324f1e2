"""The small project whose model may think otherwise when it is asked again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate import cli
from tests.plugin.conftest import prompt

if TYPE_CHECKING:
    import pytest

    from tests.plugin.conftest import GateProject

SCRIPTS = Path(__file__).parent.parent.parent / "surgery_scripts"

# Answers of the second process are those of again.json, where it has any; every call is logged.
ENGINE = """
import json, sys
from pathlib import Path
from scripted import ScriptedEngine

class SecondThoughts(ScriptedEngine):
    def __init__(self, pack):
        super().__init__(pack)
        if len(Path("loads.log").read_text().splitlines()) == 2:
            self.answers |= json.loads(Path("again.json").read_text())

    def generate(self, requests):
        prompts = [self.tokenizer.decode(list(r.prompt_ids)) for r in requests]
        batch_tokens = sys.argv[sys.argv.index("--batch-tokens") + 1]
        with Path("asked.log").open("a") as log:
            log.write(json.dumps([int(batch_tokens), prompts]) + "\\n")
        yield from super().generate(requests)
"""


@dataclass(frozen=True)
class Recorder:
    """The small project with an engine that may think otherwise when it is asked again."""

    project: GateProject
    capsys: pytest.CaptureFixture[str]

    @property
    def path(self) -> Path:
        return self.project.path

    @property
    def out(self) -> Path:
        return self.path / "anchors" / "mine.jsonl"

    def again(self, name: str, completion: str) -> None:
        """Change what the model says to one task when it is asked a second time."""
        path = self.path / "again.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {prompt(name): completion}))

    def record(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit status, stdout and stderr; the project's own anchors are what is asked."""
        given = ["--pack=tiny", "-m", "anchor", "--out=anchors/mine.jsonl", *arguments]
        try:
            status = cli.main(["anchors", "record", *given])
        except SystemExit as exit_:
            status = int(str(exit_.code))
        captured = self.capsys.readouterr()
        return status, captured.out, captured.err

    def asked(self) -> list[tuple[int, list[str]]]:
        """Return the batch size and the prompts of every call of the engine."""
        lines = (self.path / "asked.log").read_text().splitlines()
        return [(size, prompts) for size, prompts in map(json.loads, lines)]

    def rows(self) -> list[bytes]:
        return self.out.read_bytes().splitlines()


def make_recorder(
    project: GateProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Recorder:
    ini = (project.path / "pytest.ini").read_text()
    (project.path / "pytest.ini").write_text(
        ini.replace("scripted:ScriptedEngine", "thoughts:SecondThoughts")
    )
    (project.path / "thoughts.py").write_text(ENGINE)
    (project.path / "again.json").write_text("{}")
    (project.path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(project.path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)  # what tempfile has looked up before
    return Recorder(project, capsys)


def run_script(path: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the surgery scripts in a directory."""
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    return subprocess.run(command, cwd=path, capture_output=True, text=True)
