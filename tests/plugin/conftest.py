from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tiny import write_tiny_pack

if TYPE_CHECKING:
    from collections.abc import Iterator

GATE = (Path(__file__).parent.parent / "gate" / "test_gate.py").read_text("utf-8")
# Each plugin of others that stays out of the small projects saves a second per worker.
INI = """
[pytest]
addopts = -p no:randomly -p no:hypothesispytest -p no:anyio
gate_anchors = anchors.jsonl
gate_engine = scripted:ScriptedEngine
"""


@dataclass(frozen=True)
class GateProject:
    """A small project with a pack, four anchors and a scripted model that solves them all."""

    pytester: pytest.Pytester
    path: Path

    def answer(self, name: str, completion: str) -> None:
        """Change what the model says to one task."""
        answers = json.loads((self.path / "answers.json").read_text("utf-8"))
        answers[prompt(name)] = completion
        (self.path / "answers.json").write_text(json.dumps(answers))

    def run(self, *arguments: str, timeout: float = 120) -> pytest.RunResult:
        """Run pytest in the project as a user would."""
        return self.pytester.runpytest_subprocess(*arguments, timeout=timeout)

    def gate(self, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
        """Gate the project's pack and return the run with its JSON report."""
        (self.path / "out.json").unlink(missing_ok=True)
        result = self.run("--pack", "tiny", "-m", "anchor", "--gate-json", "out.json", *arguments)
        return result, json.loads((self.path / "out.json").read_text("utf-8"))

    def loads(self) -> int:
        """How often the model was loaded so far."""
        log = self.path / "loads.log"
        return len(log.read_text().splitlines()) if log.exists() else 0


def prompt(name: str) -> str:
    return f'def {name}(n):\n    """Return n plus {len(name)}."""\n'


def row(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"own/{name}",
        "prompt": prompt(name),
        "entry_point": name,
        "tests": [f"assert {name}(1) == {1 + len(name)}", f"assert {name}(-2) == {len(name) - 2}"],
        **more,
    }


def body(name: str) -> str:
    return f"    return n + {len(name)}\n"


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "tiny.planck"
    write_tiny_pack(path)
    return path


@pytest.fixture
def project(
    pytester: pytest.Pytester, tiny_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GateProject]:
    # the model's process imports scripted
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=os.pathsep)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    names = ("two", "three", "seven", "eleven")
    (pytester.path / "packs").mkdir()
    shutil.copy(tiny_pack, pytester.path / "packs" / "tiny.planck")
    shutil.copy(Path(__file__).parent / "scripted.py", pytester.path)
    (pytester.path / "tests" / "gate").mkdir(parents=True)
    (pytester.path / "tests" / "gate" / "test_gate.py").write_text(GATE)
    (pytester.path / "pytest.ini").write_text(INI)
    rows = "".join(json.dumps(row(name)) + "\n" for name in names)
    (pytester.path / "anchors.jsonl").write_text(rows)
    answers = {prompt(name): body(name) for name in names}
    (pytester.path / "answers.json").write_text(json.dumps(answers))
    return GateProject(pytester, pytester.path)
