"""`anchorgate promote` and `anchorgate revert`, with the gate that decides."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate import cli
from pytest_anchorgate.certificate import read_certificate
from pytest_anchorgate.commands.gate import Gate
from pytest_anchorgate.ledger import append_attempt, read_ledger
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.production import Production, read_production, render_production
from pytest_anchorgate.surgery.journal import write_journal
from pytest_anchorgate.surgery.lock import FILE as LOCK
from pytest_anchorgate.surgery.prepare import prepare
from pytest_anchorgate.surgery.promote import Promotion
from tests.attempts import attempt

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.plugin.conftest import GateProject

QUIET = ("-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist")


@dataclass(frozen=True)
class Project:
    """A certified project, and the commands that change what is in production there."""

    gated: GateProject
    capsys: pytest.CaptureFixture[str]

    @property
    def packs(self) -> Path:
        return self.gated.path / "packs"

    @property
    def production(self) -> tuple[str, str]:
        made = read_production(self.packs)
        assert made is not None
        assert digest_file(self.packs / made.pack) == made.sha256
        assert read_certificate(self.gated.certificate(made.pack[:-7])).pack.sha256 == made.sha256
        return made.pack, made.previous

    @property
    def ledger(self) -> list[tuple[str, str, bool]]:
        attempts = read_ledger(self.packs / "ledger.jsonl")
        return [(made.event.value, made.pack, made.production) for made in attempts]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command as a user would, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest_anchorgate.cli", *arguments, *QUIET],
            cwd=self.gated.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Return a command's exit status and the lines it printed."""
        process = self.start(*arguments)
        lines = process.communicate(timeout=120)[0].splitlines()
        return process.returncode, lines

    def quick(self, *arguments: str) -> tuple[int, list[str]]:
        """Run a command that ends before it gates; return its exit status and its errors."""
        status = cli.main(arguments)
        return status, self.capsys.readouterr().err.splitlines()

    def untouched(self) -> dict[str, bytes]:
        """Return every file in packs/ but the ledger."""
        paths = (path for path in self.packs.rglob("*") if path.is_file())
        return {str(p): p.read_bytes() for p in paths if p.name != "ledger.jsonl"}


@pytest.fixture
def project(
    certified: GateProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.chdir(certified.path)
    return Project(certified, capsys)


def test_a_pack_is_promoted_while_others_wait_and_reverted(project: Project) -> None:
    after = "touch began; until test -e go; do sleep 0.02; done; cat packs/production.toml"
    first = project.start("promote", "next", "--after-promote", after, "--gate-json", "out.json")
    wait_for(project.gated.path / "began", first)
    assert project.quick("promote", "tiny") == (1, [
        f"anchorgate: packs/.promotion.lock: held by pid {first.pid} (anchorgate promote next). "
        "Wait for it to end."
    ])  # fmt: skip
    (project.gated.path / "go").touch()
    *shown, last = first.communicate(timeout=60)[0].splitlines()
    sha256 = digest_file(project.packs / "next.planck")
    verify = "VERIFY: 4/4 anchors (0 sentinels); in production: {}, sha256 {}"
    assert (first.returncode, last) == (0, verify.format("next.planck", sha256))
    assert "4 passed" in "\n".join(shown)
    assert f'sha256 = "{sha256}"' in shown
    assert project.production == ("next.planck", "tiny.planck")
    assert project.ledger == [("gate", "next.planck", False), ("promotion", "next.planck", True)]
    gate, promotion = read_ledger(project.packs / "ledger.jsonl")
    assert (gate.suites, gate.settings) == (promotion.suites, promotion.settings)
    assert (promotion.anchors_kept, promotion.anchors, promotion.decision) == (4, 4, "accepted")
    assert json.loads((project.gated.path / "out.json").read_text())["decision"] == "accepted"

    status, lines = project.run("promote", "packs/next.planck")
    assert (status, lines) == (0, ["packs/production.toml: next.planck is in production already"])

    status, lines = project.run("revert")
    sha256 = digest_file(project.packs / "tiny.planck")
    assert (status, lines[-1]) == (0, verify.format("tiny.planck", sha256))
    assert project.production == ("tiny.planck", "")
    assert project.ledger[2:] == [("gate", "tiny.planck", False), ("revert", "tiny.planck", True)]
    assert project.quick("revert") == (1, [
        'anchorgate: packs/production.toml: previous = "": it names no pack before tiny.planck. '
        "Put another in production with `anchorgate promote PACK`."
    ])  # fmt: skip
    assert not (project.packs / LOCK).exists()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def test_a_pack_that_is_refused_changes_nothing(project: Project) -> None:
    before = project.untouched()
    project.gated.answer("seven", "    return 0\n", pack="next")
    status, lines = project.run("promote", "next")
    said = "anchorgate: packs/next.planck: refused: 1 anchor lost. Production stays."
    assert (status, lines[-1]) == (1, said)
    assert project.untouched() == before


def test_a_command_that_fails_undoes_a_pack_from_outside(project: Project) -> None:
    (project.packs / "next.planck").rename(project.gated.path / "made.planck")
    before = project.untouched()
    status, lines = project.run("promote", "made.planck", "--after-promote", "echo no; exit 3")
    assert (status, lines[-2:]) == (1, [
        "no",
        "anchorgate: made.planck: after_promote `echo no; exit 3` exited with 3, so tiny.planck is "
        "in production, as before."
    ])  # fmt: skip
    assert project.untouched() == before
    assert (project.gated.path / "made.planck").exists()
    events = [("promotion", "made.planck", True), ("revert", "tiny.planck", True)]
    assert project.ledger[1:] == events


def test_what_a_kill_left_is_finished_first(project: Project) -> None:
    sha256 = digest_file(project.packs / "next.planck")
    tiny = digest_file(project.packs / "tiny.planck")
    certificate = project.gated.certificate().read_text().replace(tiny, sha256)
    promotion = Promotion(
        packs=project.packs,
        source=project.packs / "next.planck",
        name="next.planck",
        sha256=sha256,
        certificate=certificate.encode(),
        attempt=attempt(pack="next.planck", sha256=sha256, production=True),
        after=None,
        root=project.gated.path,
    )
    write_journal(project.packs, prepare(promotion, read_production(project.packs)))
    assert cli.main(["promote", "next"]) == 0
    assert project.capsys.readouterr().out.splitlines() == [
        "packs/.promotion.json: the promotion of next.planck was cut short, and is finished: "
        "next.planck is in production",
        "packs/production.toml: next.planck is in production already",
    ]
    assert project.production == ("next.planck", "tiny.planck")


def test_ctrl_c_during_the_gate_changes_nothing(project: Project) -> None:
    before = project.untouched()
    project.gated.answer("seven", "<hang>", pack="next")
    process = project.start("promote", "next")
    wait_for(project.gated.path / "requests.log", process)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert project.untouched() == before


def test_a_pack_without_a_certificate_is_reverted_to_when_it_passes_all(project: Project) -> None:
    write_production(project, "next.planck")
    status, lines = project.run("revert")
    assert (status, lines[0]) == (
        0,
        "packs/certificates/next.json: does not exist, so next.planck has no baseline: it must "
        "pass every task",
    )
    assert project.production == ("next.planck", "")


# What is refused before anything is gated


def write_production(project: Project, previous: str) -> None:
    sha256 = digest_file(project.packs / "tiny.planck")
    production = Production(pack="tiny.planck", sha256=sha256, previous=previous)
    (project.packs / "production.toml").write_text(render_production(production))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("promote", "no"), 1, "no: no such pack. The nearest in packs is "),
        (("promote", "next", "--pack=tiny"), 2, "--pack=tiny: is for the command to say. Leave it"),
        (("revert", "--gate-whole"), 2, "--gate-whole: is for the command to say."),
        (("promote", "next", "-m", "mbpp", "--gate-mbpp=m.jsonl"), 2, "-m 'mbpp': selects no anch"
         "ors, and no pack goes into production without. Give -m 'anchor or mbpp'."),
        (("promote", "next", "-k", "seven"), 2, "--gate-certify: a certificate needs every task"),
        (("promote", "next", "--nonsense"), 2, "unrecognized arguments: --nonsense"),
        (("revert", "--gate-sandbox=none"), 2, "--gate-sandbox=none: is not auto, namespaces, "),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    project: Project, arguments: tuple[str, ...], status: int, said: str
) -> None:
    (project.gated.path / "m.jsonl").touch()
    found, errors = project.quick(*arguments)
    assert (found, len(errors)) == (status, 1)
    assert errors[0].startswith(f"anchorgate: {said}")


def test_a_name_that_is_taken_is_refused_before_the_gate(project: Project) -> None:
    (project.gated.path / "tiny.planck").write_bytes((project.packs / "next.planck").read_bytes())
    status, errors = project.quick("promote", "./tiny.planck")
    assert (status, len(errors)) == (1, 1)
    assert errors[0].startswith("anchorgate: packs/tiny.planck: is another pack, with sha256 ")


def test_answers_from_a_file_promote_nothing(project: Project) -> None:
    with (project.gated.path / "pytest.ini").open("a") as ini:
        ini.write("gate_completions = samples.jsonl\n")
    status, errors = project.quick("promote", "next")
    assert (status, len(errors)) == (2, 1)
    assert "samples.jsonl: answers come from this file, and a pack is to be gated." in errors[0]


def test_without_production_there_is_nothing_to_revert(project: Project) -> None:
    (project.packs / "production.toml").unlink()
    said = "packs/production.toml: does not exist, so there is nothing to revert."
    assert project.quick("revert") == (1, [f"anchorgate: {said}"])


def test_a_previous_pack_that_is_not_there(project: Project) -> None:
    write_production(project, "gone.planck")
    assert project.quick("revert") == (1, [
        "anchorgate: packs/production.toml: previous = 'gone.planck', and packs/gone.planck is not "
        "there. Restore that file."
    ])  # fmt: skip


@pytest.mark.parametrize("knows", ["certificates/next.json", "ledger.jsonl"])
def test_a_previous_pack_with_other_bytes(project: Project, knows: str) -> None:
    write_production(project, "next.planck")
    digest = digest_file(project.packs / "tiny.planck")
    if knows == "ledger.jsonl":
        made = attempt(pack="next.planck", sha256=digest, production=True)
        append_attempt(project.packs / knows, made)
    else:
        tiny = project.gated.certificate().read_bytes()
        project.gated.certificate("next").write_bytes(tiny)
    found = digest_file(project.packs / "next.planck")
    assert project.quick("revert") == (1, [
        f"anchorgate: packs/next.planck: has sha256 {found}, packs/{knows} says {digest}. Restore "
        "that pack."
    ])  # fmt: skip


# What a gate's report comes to


@pytest.mark.parametrize(
    ("status", "changed", "fault"),
    [
        (0, {}, None),
        (1, {"decision": "refused", "reasons": ["a", "b"]}, (1, "refused: a; b")),
        (10, {"decision": "invalid", "reasons": ["died"]}, (10, "invalid: died")),
        (0, {"decision": "partial", "reasons": ["-k"]}, (10, "partial: -k")),
        (1, {}, (1, "accepted: all; and yet pytest ended with status 1, see above")),
        (0, {"pack": {"sha256": "b"}}, (1, "b was gated instead of sha256 a")),
        (0, {"pack": None}, (1, "nothing was gated instead of sha256 a")),
        (4, None, (2, "pytest ended with status 4 and wrote no report")),
        (0, None, (1, "pytest ended with status 0 and wrote no report")),
    ],
)
def test_only_an_accepted_gate_of_this_pack_has_no_fault(
    status: int, changed: dict[str, Any] | None, fault: tuple[int, str] | None
) -> None:
    report = {"decision": "accepted", "reasons": ["all"], "pack": {"sha256": "a"}}
    gate = Gate(status=status, report={} if changed is None else report | changed)
    assert gate.fault("a") == fault
