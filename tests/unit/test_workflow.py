"""The workflow that `anchorgate init` writes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import pytest_anchorgate
from tests.repository import Repository

FILE = Path(pytest_anchorgate.__file__).parent / "templates" / "anchor-gate.yml"


@pytest.fixture
def workflow() -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(FILE.read_bytes())
    return loaded


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    (job,) = workflow["jobs"].values()
    return list(job["steps"])


def ask(workflow: dict[Any, Any], place: Path, change: dict[str, Any], base: str = "main") -> str:
    """Return what the workflow's question puts out on a branch with the change."""
    repository = Repository(place / "repository")
    first = repository.commit({"packs/x.planck": "1", "anchors/a.jsonl": "1"})
    repository.git("update-ref", "refs/remotes/origin/main", first)
    repository.commit(change)
    (question,) = (step["run"] for step in steps(workflow) if step.get("id") == "changed")
    output = place / "output"
    output.touch()
    subprocess.run(
        ["bash", "-e", "-c", question],
        cwd=repository.root,
        env={**os.environ, "GITHUB_BASE_REF": base, "GITHUB_OUTPUT": str(output)},
        check=True,
        capture_output=True,
    )
    return output.read_text("utf-8")


def test_it_starts_on_every_pull_request(workflow):
    assert workflow[True] == {"pull_request": None}  # YAML 1.1 reads the key `on` as True
    assert workflow["permissions"] == {"contents": "read"}


def test_every_step_after_the_question_depends_on_it(workflow):
    every = steps(workflow)
    asked = next(index for index, step in enumerate(every) if step.get("id") == "changed")
    for step in every[asked + 1 :]:
        assert "steps.changed.outputs.gate == 'true'" in step["if"]
    checkouts = [step for step in every if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["fetch-depth"] == 0 for step in checkouts)
    assert checkouts[-1]["with"]["lfs"] is True


def test_the_gate_is_one_command_with_known_options(workflow):
    (gate,) = (step["run"] for step in steps(workflow) if step.get("name") == "Gate")
    assert gate.startswith("pytest -m anchor --gate-whole --gate-sandbox=namespaces ")
    assert "\n" not in gate.strip()
    assert '--gate-baseline "origin/$GITHUB_BASE_REF:packs/production.toml"' in gate
    assert '--gate-ratchet "origin/$GITHUB_BASE_REF"' in gate


def test_the_certificate_is_looked_at_before_the_gate(workflow):
    names = [step.get("name") for step in steps(workflow)]
    assert names.index("Certificate") < names.index("Gate")


def test_this_repository_uses_what_it_gives_to_others():
    own = Path(__file__).parents[2] / ".github" / "workflows" / FILE.name
    given, used = (path.read_text("utf-8").splitlines() for path in (FILE, own))
    changed = [new for old, new in zip(given, used, strict=True) if old != new]
    assert len(changed) == 2
    assert "constraints.txt" in changed[1]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"packs/x.planck": "2"}, "gate=true\n"),
        ({"anchors/b.jsonl": "2"}, "gate=true\n"),
        ({"tests/gate/test_gate.py": "2"}, "gate=true\n"),
        ({".github/workflows/anchor-gate.yml": "2"}, "gate=true\n"),
        ({"pytest.ini": "[pytest]"}, "gate=true\n"),
        ({"README.md": "2"}, ""),
        ({}, ""),
    ],
)
def test_only_what_is_gated_asks_for_the_gate(workflow, tmp_path, change, answer):
    assert ask(workflow, tmp_path, change) == answer


def test_a_question_that_git_cannot_answer_asks_for_the_gate(workflow, tmp_path):
    assert ask(workflow, tmp_path, {}, base="gone") == "gate=true\n"
