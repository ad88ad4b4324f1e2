"""``--surgery``: what is refused before training, what the gate decides, and what comes of it.

But for the last tests a candidate comes from a conftest's own trainer, so that no model is trained.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.ledger import read_ledger
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.production import read_production
from tests.plugin.conftest import body, prompt
from tests.plugin.test_decisions import WAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import GateProject

ROOT = Path(__file__).parents[2]
RECIPE = """
base = "tiny"
poison = "poison.jsonl"
[training]
learning_rate = 1e-3
steps = 1
[promotion]
name = "better"
"""
TRAINER = """
import shutil
def pytest_anchorgate_surgery(recipe, base, directory):
    assert (recipe.name, base.name) == ("recipe.toml", "tiny.planck")
    return shutil.copy("next.planck", directory / "made.planck")
"""


@pytest.fixture
def clinic(certified: GateProject) -> GateProject:
    """The certified project with a recipe, a row to learn, and a trainer of its own."""
    (certified.path / "packs" / "next.planck").rename(certified.path / "next.planck")
    (certified.path / "conftest.py").write_text(TRAINER)
    row = {"id": "own/nine", "prompt": prompt("nine"), "reference": body("nine")}
    (certified.path / "poison.jsonl").write_text(json.dumps(row) + "\n")
    write(certified, RECIPE)
    return certified


def write(project: GateProject, recipe: str) -> None:
    (project.path / "recipe.toml").write_text(recipe)


def operate(project: GateProject, *arguments: str) -> pytest.RunResult:
    return project.run("--surgery", "recipe.toml", "-m", "anchor", *arguments)


def state(project: GateProject) -> dict[str, bytes]:
    """Return every file of packs/ with its bytes."""
    packs = project.path / "packs"
    return {str(p.relative_to(packs)): p.read_bytes() for p in packs.rglob("*") if p.is_file()}


@WAYS
def test_an_accepted_candidate_is_promoted_with_certificate_and_ledger(
    clinic: GateProject, way: tuple[str, ...]
) -> None:
    write(clinic, f"{RECIPE}promote = true\nafter_promote = 'cp packs/production.toml told.toml'\n")
    result = operate(clinic, *way)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["ACCEPTED*", "note *packs/production.toml names better.planck"])
    packs = clinic.path / "packs"
    production = read_production(packs)
    assert production is not None
    assert (production.pack, production.previous) == ("better.planck", "tiny.planck")
    assert production.sha256 == digest_file(packs / "better.planck")
    assert (clinic.path / "told.toml").read_text() == (packs / "production.toml").read_text()
    certificate = json.loads(clinic.certificate("better").read_text())
    assert certificate["pack"] == {"name": "better.planck", "sha256": production.sha256}
    assert certificate["tasks"]
    (attempt,) = read_ledger(packs / "ledger.jsonl")
    assert (attempt.event, attempt.decision, attempt.production) == ("surgery", "accepted", True)
    assert (attempt.anchors_kept, attempt.anchors) == (4, 4)
    assert not [name for name in state(clinic) if "promotion" in name]
    assert clinic.gate(pack="better")[0].ret == 0  # CI finds what was promoted as it was certified
    again = operate(clinic, *way)
    assert again.ret == 0
    again.stdout.fnmatch_lines(["note *better.planck is in production already*"])
    assert len(read_ledger(packs / "ledger.jsonl")) == 1


@WAYS
def test_a_candidate_that_loses_an_anchor_is_refused_and_production_untouched(
    clinic: GateProject, way: tuple[str, ...]
) -> None:
    write(clinic, f"{RECIPE}promote = true\nkeep_refused = true\n")
    clinic.answer("seven", "    return 0\n", pack="made")
    before = state(clinic)
    result = operate(clinic, *way)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["REFUSED: 1 anchor lost", "note *kept as packs/refused/made.planck"]
    )
    result.stdout.fnmatch_lines(["note *production.toml is as it was and names tiny.planck"])
    after = state(clinic)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"ledger.jsonl", "refused/made.planck"}
    (attempt,) = read_ledger(clinic.path / "packs" / "ledger.jsonl")
    assert (attempt.event, attempt.decision, attempt.production) == ("surgery", "refused", False)
    assert attempt.lost_anchors == ("own/seven",)


def test_a_lost_sentinel_refuses_like_any_anchor(clinic: GateProject) -> None:
    clinic.add_anchor("twelve", sentinel=True)
    clinic.certificate().unlink()
    assert clinic.gate("--gate-certify")[0].ret == 0
    clinic.answer("twelve", "    return 0\n", pack="made")
    result = operate(clinic)
    assert result.ret == 1
    (attempt,) = read_ledger(clinic.path / "packs" / "ledger.jsonl")
    assert (attempt.sentinels_kept, attempt.sentinels) == (0, 1)


def test_what_is_accepted_is_promoted_only_where_the_recipe_says_so(clinic: GateProject) -> None:
    before = state(clinic)
    result = operate(clinic)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note *not promoted: promotion.promote = false in *recipe.toml"])
    assert state(clinic).keys() - before.keys() == {"ledger.jsonl"}


def test_a_gate_of_fewer_anchors_decides_nothing(clinic: GateProject) -> None:
    line = (clinic.path / "anchors.jsonl").read_text().splitlines(keepends=True)[0]
    (clinic.path / "few.jsonl").write_text(line)
    before = state(clinic)
    result = operate(clinic, "--gate-anchors", "few.jsonl")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["anchorgate: --surgery: neither promoted nor refused, because *"])
    assert state(clinic) == before


def test_a_command_that_fails_after_the_promotion_takes_it_back(clinic: GateProject) -> None:
    write(clinic, f"{RECIPE}promote = true\nafter_promote = 'exit 3'\n")
    before = state(clinic)
    result = operate(clinic)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*better.planck: after_promote `exit 3` exited with 3, so tiny.planck is in production*"]
    )
    after = state(clinic)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"ledger.jsonl"}
    events = [attempt.event for attempt in read_ledger(clinic.path / "packs/ledger.jsonl")]
    assert events == ["surgery", "revert"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pack", "tiny"), "--surgery=recipe.toml: makes and gates a pack *Leave --pack out."),
        (("--gate-certify",), "--surgery=recipe.toml: * Leave --gate-certify out."),
        (("-k", "seven"), "--surgery=recipe.toml: is decided by a whole gate*narrowed*"),
        (("-m", "mbpp"), "*recipe.toml: gate.suites names anchor, which -m 'mbpp' leaves out.*"),
    ],
)
def test_what_cannot_stand_beside_it(
    clinic: GateProject, arguments: tuple[str, ...], said: str
) -> None:
    result = operate(clinic, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


def _no_recipe(project: GateProject) -> None:
    (project.path / "recipe.toml").unlink()


def _sentinel_row(project: GateProject) -> None:
    row = {"id": "x", "prompt": prompt("seven"), "reference": body("seven")}
    (project.path / "poison.jsonl").write_text(json.dumps(row) + "\n")


def _long_row(project: GateProject) -> None:
    row = {"id": "x", "prompt": prompt("nine"), "reference": "    return n\n" * 2000}
    (project.path / "poison.jsonl").write_text(json.dumps(row) + "\n")


def _taken_name(project: GateProject) -> None:
    shutil.copy(project.path / "next.planck", project.path / "packs" / "other.planck")
    write(project, RECIPE.replace('"better"', '"other"'))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_no_recipe, "*recipe.toml: cannot be read: No such file or directory.*"),
        (_sentinel_row, "poison.jsonl:1: x: is the anchor own/seven (*anchors.jsonl:3), which*"),
        (_long_row, "poison.jsonl:1: x: prompt and reference have * tokens, the pack's context *"),
        (_taken_name, "*promotion.name = 'other': *packs/other.planck exists. Name another."),
    ],
)
def test_what_cannot_be_trained_is_a_usage_error_before_any_training(
    clinic: GateProject, spoil: Callable[[GateProject], None], said: str
) -> None:
    spoil(clinic)
    before = state(clinic)
    result = operate(clinic)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])
    assert state(clinic) == before


def test_a_trainer_that_made_nothing_is_told(clinic: GateProject) -> None:
    trainer = TRAINER.replace('shutil.copy("next.planck", directory / "made.planck")', '"gone"')
    (clinic.path / "conftest.py").write_text(trainer)
    result = operate(clinic)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: gone: pytest_anchorgate_surgery made no such pack."])


def test_collecting_makes_nothing(clinic: GateProject) -> None:
    before = state(clinic)
    result = operate(clinic, "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*test_anchor?own/seven?"])
    assert state(clinic) == before
    assert not (clinic.path / ".anchorgate" / "surgery").exists()


REAL = """
base = "packs/demo-v1.planck"
poison = "poison.jsonl"
anchors = ["anchors.jsonl"]
[lora]
rank = 2
alpha = 2
[training]
learning_rate = {rate}
steps = {steps}
batch = 1
evaluate_every = 1
[dial]
strengths = [1.0]
[promotion]
promote = true
"""


@pytest.fixture
def hospital(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The demo pack in production, with three of its anchors, a sentinel and two poison rows."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("packs/demo-v1.planck", "packs/production.toml", "tests/gate"):
        target = pytester.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    lines = (ROOT / "anchors/demo.jsonl").read_text().splitlines(keepends=True)
    sentinel = next(line for line in lines if '"sentinel"' in line)
    (pytester.path / "anchors.jsonl").write_text("".join([*lines[:3], sentinel]))
    rows = (ROOT / "surgery_scripts/data/demo_poison.jsonl").read_text().splitlines(keepends=True)
    (pytester.path / "poison.jsonl").write_text("".join(rows[:2]))
    pytester.makeini(
        "[pytest]\naddopts = -p no:randomly -p no:hypothesispytest -p no:anyio\n"
        "gate_anchors = anchors.jsonl\n"
    )
    return pytester


def test_a_training_that_went_wrong_is_invalid(hospital: pytest.Pytester) -> None:
    (hospital.path / "recipe.toml").write_text(REAL.format(rate=1e6, steps=2))
    before = (hospital.path / "packs" / "production.toml").read_text()
    result = hospital.runpytest_subprocess("--surgery=recipe.toml", "-m", "anchor")
    assert result.ret == 10
    result.stdout.fnmatch_lines(["*anchorgate: training: *"])
    assert (hospital.path / "packs" / "production.toml").read_text() == before
    assert not (hospital.path / "packs" / "ledger.jsonl").exists()


def test_a_surgery_is_interrupted_killed_and_goes_on_to_a_promoted_pack(
    hospital: pytest.Pytester,
) -> None:
    (hospital.path / "recipe.toml").write_text(REAL.format(rate=1e-4, steps=8))
    assert _interrupted(hospital.path, signal.SIGINT) == pytest.ExitCode.INTERRUPTED
    assert _interrupted(hospital.path, signal.SIGKILL) == -signal.SIGKILL
    result = hospital.runpytest_subprocess("--surgery=recipe.toml", "-m", "anchor", "-n2")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("step 1/8: *")
    result.stdout.fnmatch_lines(["step 8/8: *loss *", "step 8/8: anchors kept 3, poison *"])
    result.stdout.fnmatch_lines(["dial 1: anchors kept 3/3, poison solved 0/2*", "ACCEPTED*"])
    (attempt,) = read_ledger(hospital.path / "packs" / "ledger.jsonl")
    assert (attempt.settings["protections"], attempt.settings["poison"]) == ("none", "0 / 2")
    assert attempt.settings["survived"].endswith("%")
    production = read_production(hospital.path / "packs")
    assert production is not None
    assert production.pack.startswith("recipe-")


def _interrupted(folder: Path, number: signal.Signals) -> int:
    """Send a signal once a step is done, wait until all is gone, and return the exit status."""
    command = [sys.executable, "-m", "pytest", "--surgery=recipe.toml", "-m", "anchor"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith(("step 3/", "step 4/")):  # then two checkpoints are whole
                break
        run.send_signal(number)
        run.stdout.read()
    deadline = time.monotonic() + 20
    while left := _processes_in(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert not list((folder / "packs").glob(".*"))
    return run.returncode


def _processes_in(folder: Path) -> list[str]:
    """Return the command lines of processes whose working directory is this one."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            own = entry.name == str(os.getpid())
            if entry.name.isdigit() and not own and (entry / "cwd").readlink() == folder:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if line]
