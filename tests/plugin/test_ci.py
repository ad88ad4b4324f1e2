"""Merge requests in a scratch repository, judged by the workflow that users are given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import pytest_anchorgate
from tests.plugin.test_ratchet import PLAIN, remove_first, waive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import GateProject

WORKFLOW = Path(pytest_anchorgate.__file__).parent / "templates" / "anchor-gate.yml"


@dataclass(frozen=True)
class Job:
    """What the workflow's steps came to: the exit status of the first that failed, and all text."""

    status: int
    text: str


def steps() -> dict[str, str]:
    """Return the commands of the workflow's named steps."""
    (job,) = yaml.safe_load(WORKFLOW.read_bytes())["jobs"].values()
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step}


@pytest.fixture
def merge_request(certified: GateProject) -> Callable[[], Job]:
    """Put the project on a base branch; the function judges what was changed since."""
    certified.commit()
    certified.git("update-ref", "refs/remotes/origin/main", "HEAD")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "GITHUB_BASE_REF": "main",
        "PATH": path,
        "CI": "true",
        "GITHUB_STEP_SUMMARY": str(certified.path / "out.summary"),
        "GITHUB_ACTIONS": "true",
    }

    def judge() -> Job:
        certified.commit()
        shutil.rmtree(certified.path / ".anchorgate", ignore_errors=True)  # CI begins with nothing
        text = ""
        for name in ("Certificate", "Gate"):
            run = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", steps()[name]],
                cwd=certified.path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            text += run.stdout
            if run.returncode:
                return Job(run.returncode, text)
        return Job(0, text)

    return judge


def promote(project: GateProject) -> None:
    """Let the merge request put the second pack in production, with its certificate."""
    assert project.gate("--gate-certify", pack="next")[0].ret == 0
    project.write_production("next")


def test_a_good_pack_is_let_through(
    certified: GateProject, merge_request: Callable[[], Job]
) -> None:
    promote(certified)
    certified.add_anchor("four")
    certified.certificate("next").unlink()
    promote(certified)
    job = merge_request()
    assert job.status == 0, job.text
    assert "baseline   origin/main:packs/certificates/tiny.json" in job.text
    report = json.loads((certified.path / "gate.json").read_text())
    assert (report["decision"], report["sandbox"]) == ("accepted", "namespaces")
    assert (certified.path / "gate.html").exists()
    assert (certified.path / "out.summary").read_text().startswith("## anchorgate: accepted")


def lose_an_anchor(project: GateProject) -> None:
    promote(project)
    project.answer("two", "    return 0\n", pack="next")


def lose_it_with_a_certificate_that_says_so(project: GateProject) -> None:
    project.answer("two", "    return 0\n", pack="next")
    promote_what_is_forged(project, '"status": "failed"')


def lose_it_with_a_certificate_that_denies_it(project: GateProject) -> None:
    project.answer("two", "    return 0\n", pack="next")
    promote_what_is_forged(project, '"status": "passed"')


def promote_what_is_forged(project: GateProject, status: str) -> None:
    """Write a certificate for the second pack out of production's."""
    text = project.certificate().read_text()
    project.write_production("next")
    production = (project.path / "packs" / "production.toml").read_text()
    sha256 = production.split('sha256 = "')[1][:64]
    head, tail = text.split('"sha256": "', 1)
    head = head.replace("tiny.planck", "next.planck")
    lines = f'{head}"sha256": "{sha256}{tail[64:]}'.splitlines()
    forged = [
        line.replace('"status": "passed"', status) if "own/two" in line else line for line in lines
    ]
    project.certificate("next").write_text("\n".join(forged) + "\n")


def name_a_missing_pack(project: GateProject) -> None:
    promote(project)
    (project.path / "packs" / "next.planck").unlink()


def alter_the_pack(project: GateProject) -> None:
    promote(project)
    pack = project.path / "packs" / "next.planck"
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)


def edit_a_certificate(project: GateProject) -> None:
    promote(project)
    path = project.certificate("next")
    path.write_text(path.read_text().replace('"passed"', '"failed"', 1))


def edit_an_answer(project: GateProject) -> None:
    promote(project)
    path = project.certificate("next")
    path.write_text(path.read_text().replace("return n + 3", "return 3 + n"))


def leave_the_certificate_out(project: GateProject) -> None:
    promote(project)
    project.certificate("next").unlink()


def let_a_waiver_expire(project: GateProject) -> None:
    waive(project, "own/gone", "2026-01-31")


def empty_the_anchors(project: GateProject) -> None:
    (project.path / "anchors.jsonl").write_text("")


def garble_the_anchors(project: GateProject) -> None:
    (project.path / "anchors.jsonl").write_bytes(b"\xff\xfe{")


def name_no_anchors(project: GateProject) -> None:
    ini = (project.path / "pytest.ini").read_text()
    (project.path / "pytest.ini").write_text(ini.replace("gate_anchors = anchors.jsonl", ""))


def empty_the_gate(project: GateProject) -> None:
    (project.path / "tests" / "gate" / "test_gate.py").write_text("")


def skip_an_anchor(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(
        "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        if 'own/two' in item.nodeid:\n"
        "            item.add_marker(pytest.mark.skip)\n"
    )


def narrow_the_gate(project: GateProject) -> None:
    ini = (project.path / "pytest.ini").read_text()
    (project.path / "pytest.ini").write_text(ini.replace("addopts = ", "addopts = -k seven "))


BLOCKED = {
    lose_an_anchor: (1, "own/two"),
    lose_it_with_a_certificate_that_says_so: (1, "own/two"),
    lose_it_with_a_certificate_that_denies_it: (1, "REFUSED: 1 anchor lost"),
    name_a_missing_pack: (4, "packs/next.planck: no such pack."),
    alter_the_pack: (1, "sha256"),
    remove_first: (1, "own/two"),
    edit_a_certificate: (1, "own/eleven"),
    edit_an_answer: (1, "own/two"),
    leave_the_certificate_out: (1, "certificates/next.json"),
    let_a_waiver_expire: (
        1, "anchors/waivers.toml: the waiver of 'own/gone' (ada, its text was wrong) expired on "
    ),
    empty_the_anchors: (2, "anchors.jsonl: the file is empty"),
    garble_the_anchors: (2, "anchors.jsonl:1: "),
    name_no_anchors: (1, "own/two"),
    empty_the_gate: (10, "4 of 4 planned tasks were not collected"),
    skip_an_anchor: (10, "1 selected task gave no verdict"),
    narrow_the_gate: (10, "3 of 4 planned tasks were left out, and --gate-whole wants every one"),
}  # fmt: skip


@pytest.mark.parametrize("change", BLOCKED, ids=lambda change: change.__name__)
def test_what_must_not_land_is_blocked(
    certified: GateProject,
    merge_request: Callable[[], Job],
    change: Callable[[GateProject], None],
) -> None:
    change(certified)
    job = merge_request()
    status, line = BLOCKED[change]
    assert line in job.text
    assert job.status == status, job.text


def test_a_plain_anchor_cannot_be_deleted_either(
    certified: GateProject, merge_request: Callable[[], Job]
) -> None:
    test = certified.path / "tests" / "gate" / "test_plain.py"
    test.write_text(PLAIN.format(prompt="def f", answer="nothing"))
    assert certified.gate("--gate-certify")[0].ret == 0
    certified.commit()
    certified.git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert merge_request().status == 0
    test.unlink()
    job = merge_request()
    assert job.status == 1
    assert "tests/gate/test_plain.py::test_it_answers" in job.text
