from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.production import Production, render_production
from tests.shared import once
from tests.tiny import write_tiny_pack

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

    def answer(self, name: str, completion: str, *, pack: str = "") -> None:
        """Change what the model says to one task; what one pack's model says, if it is named."""
        path = self.path / (f"answers-{pack}.json" if pack else "answers.json")
        source = path if path.exists() else self.path / "answers.json"
        answers = json.loads(source.read_text("utf-8"))
        path.write_text(json.dumps(answers | {prompt(name): completion}))

    def add_anchor(self, name: str, **more: Any) -> None:
        """Append a row to the anchors, which the model solves."""
        with (self.path / "anchors.jsonl").open("a") as file:
            file.write(json.dumps(row(name, **more)) + "\n")
        self.answer(name, body(name))

    def write_production(self, pack: str = "tiny") -> None:
        """Say that a pack is in production."""
        digest = digest_file(self.path / "packs" / f"{pack}.planck")
        production = Production(pack=f"{pack}.planck", sha256=digest, previous="")
        (self.path / "packs" / "production.toml").write_text(render_production(production))

    def certificate(self, pack: str = "tiny") -> Path:
        """Return where a pack's certificate lies."""
        return self.path / "packs" / "certificates" / f"{pack}.json"

    def git(self, *arguments: str) -> str:
        """Run git in the project, as somebody who may commit."""
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "core.hooksPath=")
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.path, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        """Commit all that is there; the first commit makes the repository."""
        if not (self.path / ".git").exists():
            self.git("init", "-q", "-b", "main")
            (self.path / ".gitignore").write_text(".anchorgate/\nout.*\n__pycache__/\n*.log\n")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "as it is")

    def run(self, *arguments: str, timeout: float = 120) -> pytest.RunResult:
        """Run pytest in the project as a user would."""
        return self.pytester.runpytest_subprocess(*arguments, timeout=timeout)

    def gate(self, *arguments: str, pack: str = "tiny") -> tuple[pytest.RunResult, dict[str, Any]]:
        """Gate one of the project's packs and return the run with its JSON report."""
        (self.path / "out.json").unlink(missing_ok=True)
        result = self.run("--pack", pack, "-m", "anchor", "--gate-json", "out.json", *arguments)
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
    return once(tmp_path_factory, "tiny.planck", write_tiny_pack)


@pytest.fixture(scope="session")
def next_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(path: Path) -> None:
        write_tiny_pack(path, initializer_range=0.3)

    return once(tmp_path_factory, "next.planck", make)


@pytest.fixture
def project(
    pytester: pytest.Pytester, tiny_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> GateProject:
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


@pytest.fixture(scope="session")
def tiny_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for the certificate that the first test of a worker makes for all of them."""
    return tmp_path_factory.mktemp("certificate") / "tiny.json"


@pytest.fixture
def certified(project: GateProject, next_pack: Path, tiny_certificate: Path) -> GateProject:
    """The project with its pack certified and in production, and a second pack beside it."""
    project.write_production()
    shutil.copy(next_pack, project.path / "packs" / "next.planck")
    if not tiny_certificate.exists():
        result, report = project.gate("--gate-certify")
        assert (result.ret, report["decision"]) == (0, "accepted")
        shutil.copy(project.certificate(), tiny_certificate)
    project.certificate().parent.mkdir(exist_ok=True)
    shutil.copy(tiny_certificate, project.certificate())
    return project
