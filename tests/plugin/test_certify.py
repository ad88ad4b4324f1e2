"""Certificates: when one is written, what is in it, and when none is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.certificate import Certificate, read_certificate
from tests.plugin.test_decisions import WAYS

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

CERTIFY = "--gate-certify"


@WAYS
def test_a_whole_gate_writes_the_same_certificate_in_every_way(
    project: GateProject, way: tuple[str, ...], certified_text: str
) -> None:
    project.write_production()
    result, _ = project.gate(CERTIFY, *way)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note *certificate written to packs/certificates/tiny.json"])
    assert without_times(project.certificate().read_text()) == certified_text


@pytest.fixture
def certified_text(certified: GateProject) -> str:
    text = without_times(certified.certificate().read_text())
    certified.certificate().unlink()
    return text


def without_times(text: str) -> str:
    return re.sub(r'"seconds": [0-9.]+', '"seconds": 0', text)


def test_what_a_certificate_says(certified: GateProject) -> None:
    made = read_certificate(certified.certificate())
    assert isinstance(made, Certificate)
    assert made.pack.name == "tiny.planck"
    assert (made.engine.engine, made.decoding.max_new_tokens) == ("scripted:ScriptedEngine", 512)
    assert [task.id for task in made.tasks] == ["own/eleven", "own/seven", "own/three", "own/two"]
    (two,) = (task for task in made.tasks if task.id == "own/two")
    assert (two.status, two.completion) == ("passed", "    return n + 3\n")
    assert two.token_ids
    assert two.prompt_ids


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("-k", "seven"), "--gate-certify: a certificate needs every task, and this run is narr*"),
        (("--deselect", "tests/gate/test_gate.py::test_anchor[own/two]"), "*narrowed*"),
        (("tests/gate/test_gate.py::test_anchor[own/two]",), "*narrowed*"),
    ],
    ids=["-k", "--deselect", "node id"],
)
def test_a_narrowed_run_cannot_certify(
    project: GateProject, arguments: tuple[str, ...], wrong: str
) -> None:
    result = project.run("--pack", "tiny", "-m", "anchor", CERTIFY, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {wrong}"])
    assert not project.certificate().exists()


def test_completions_have_no_certificate(project: GateProject) -> None:
    result = project.run("--gate-completions=x.jsonl", "-m", "anchor", CERTIFY)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --gate-certify: *--gate-completions=x.jsonl has none.*"])


@pytest.mark.parametrize("stop", [(), ("-x",)], ids=["whole", "-x"])
def test_a_pack_that_fails_an_anchor_is_not_certified(
    project: GateProject, stop: tuple[str, ...]
) -> None:
    project.answer("two", "    return 0\n")
    result, report = project.gate(CERTIFY, *stop)
    assert (result.ret, report["decision"]) == (1, "refused")
    result.stdout.fnmatch_lines(
        ["anchorgate: --gate-certify: nothing was written, because the run is refused: 1 anchor *"]
    )
    assert not project.certificate().exists()


def test_production_that_lost_an_anchor_keeps_the_certificate_that_says_so(
    certified: GateProject,
) -> None:
    before = certified.certificate().read_bytes()
    certified.answer("two", "    return 0\n")
    result, report = certified.gate(CERTIFY, "--gate-store=other")
    assert (result.ret, report["lost"]) == (1, ["anchor:own/two"])
    assert certified.certificate().read_bytes() == before


def test_a_crashed_worker_certifies_nothing(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(
        "import os\nimport pytest\n\n\n@pytest.fixture(autouse=True)\ndef die(request):\n"
        "    if 'seven' in request.node.name and 'PYTEST_XDIST_WORKER' in os.environ:\n"
        "        os._exit(1)\n"
    )
    result, report = project.gate(CERTIFY, "-n2")
    assert (result.ret, report["decision"]) == (10, "invalid")
    assert not project.certificate().exists()


def test_a_certificate_that_holds_more_is_not_replaced_by_less(certified: GateProject) -> None:
    text = certified.certificate().read_text()
    plain = json.loads(text)
    plain["tasks"].append({**plain["tasks"][0], "suite": "mbpp"})
    certified.certificate().write_text(json.dumps(plain))
    result, _ = certified.gate(CERTIFY)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["anchorgate: --gate-certify: *tiny.json also certifies mbpp, *"])
    assert json.loads(certified.certificate().read_text()) == plain


def test_a_certificate_that_cannot_be_written_is_one_line_and_no_success(
    project: GateProject,
) -> None:
    (project.path / "packs" / "certificates").write_text("in the way")
    result, report = project.gate(CERTIFY)
    assert (result.ret, report["decision"]) == (1, "accepted")
    result.stdout.fnmatch_lines(["anchorgate: *packs/certificates/tiny.json: cannot be written: *"])
