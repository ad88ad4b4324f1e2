"""What goes wrong while anchors are recorded: one line, and no file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate import cli
from pytest_anchorgate.session import GateSession
from pytest_anchorgate.verify import Status, Verdict
from tests.plugin.recorder import Recorder, make_recorder
from tests.plugin.test_trouble import gone_within

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject


@pytest.fixture
def recorder(
    project: GateProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Recorder:
    return make_recorder(project, capsys, monkeypatch)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "slow"], "anchorgate: -m 'slow': names no suite. Select anchor, mbpp or "),
        (["-m", "mbpp or"], "anchorgate: -m 'mbpp or': names no suite. Select anchor, mbpp or "),
        (["-m", "suite"], "anchorgate: -m 'suite': selects suite, whose files stand in tests. "),
        (["-m", "mbpp"], "anchorgate: -m 'mbpp': selects mbpp, and no file supplies its tasks. "),
        (["--sentinels=1.5"], "argument --sentinels: 1.5 is not a share from 0 to 1, as 0.3 is"),
        (["--sentinels=some"], "argument --sentinels: some is not a share from 0 to 1"),
        (["--sentinels=nan"], "argument --sentinels: nan is not a share from 0 to 1"),
        (["--seed=x"], "argument --seed: invalid int value: 'x'"),
        (["--out=anchors.jsonl/x"], "anchorgate: --out=anchors.jsonl/x: /"),
        (["--out=packs"], "anchorgate: --out=packs: is a directory. Name a file, as in "),
        (["--gate-timeout=soon"], "anchorgate: --gate-timeout=soon: is not a number of seconds"),
        (["--gate-anchors=no.jsonl"], "no.jsonl: cannot be read: No such file or directory. "),
        (["--gate-certify"], "unrecognized arguments: --gate-certify"),
        (["-k", "two"], "unrecognized arguments: -k two"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_no_model_is_loaded(
    recorder: Recorder, arguments: list[str], said: str
) -> None:
    status, out, err = recorder.record(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert recorder.project.loads() == 0
    assert not recorder.out.parent.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "gate_completions = a.jsonl",
            r"gate_completions=/.*/a\.jsonl: answers come from this file",
        ),
        (
            "gate_anchors =",
            r"-m: no file supplies the rows of a suite that it selects, and a plain",
        ),
    ],
)
def test_what_the_ini_file_says_may_leave_nothing_to_ask(
    recorder: Recorder, line: str, said: str
) -> None:
    ini = (recorder.path / "pytest.ini").read_text()
    ini = "\n".join(old for old in ini.splitlines() if not old.startswith(line.split(" =")[0]))
    (recorder.path / "pytest.ini").write_text(f"{ini}\n{line}\n")
    given = ["anchors", "record", "-m", "anchor", "--out=anchors/mine.jsonl"]
    assert cli.main(given) == 2
    assert re.match(f"anchorgate: {said}", recorder.capsys.readouterr().err)


def test_a_damaged_production_pack_is_not_asked(recorder: Recorder) -> None:
    recorder.project.write_production()
    pack = recorder.path / "packs" / "tiny.planck"
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.write_bytes(damaged)
    status, _, err = recorder.record()
    assert status == 1
    assert re.match(r"anchorgate: /.*/packs/tiny\.planck: has sha256 [0-9a-f]{64}, .* says ", err)
    assert recorder.project.loads() == 0


@pytest.mark.parametrize("run", ["first", "second"])
def test_a_model_that_dies_leaves_its_log_and_no_anchors(recorder: Recorder, run: str) -> None:
    if run == "first":
        recorder.project.answer("two", "<die>")
    recorder.again("two", "<die>")
    status, out, err = recorder.record()
    assert (status, out, recorder.out.exists()) == (1, "", False)
    said = r"anchorgate: the model's process was killed by SIGKILL; .* or see (.*\.log)\.\n"
    match = re.fullmatch(said, err)
    assert match, err
    assert Path(match[1]).exists()
    assert list((recorder.path / "temporary").iterdir()) == []


def test_a_sandbox_that_breaks_charges_nobody(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Verdict(task_id="x", suite="anchor", sample=0, status=Status.ERROR, reason="no pipe")
    monkeypatch.setattr(GateSession, "verify", lambda *_: broken)
    status, _, err = recorder.record()
    assert (status, err) == (1, "anchorgate: own/two: no pipe\n")
    assert not recorder.out.exists()


@pytest.mark.parametrize("run", ["first", "second"])
def test_ctrl_c_leaves_no_process_and_no_file(recorder: Recorder, run: str) -> None:
    if run == "first":
        recorder.project.answer("two", "<hang>")
    recorder.again("two", "<hang>")
    given = ["--pack=tiny", "-m", "anchor", "--out=anchors/mine.jsonl"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest_anchorgate.cli", "anchors", "record", *given],
        cwd=recorder.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    while recorder.project.loads() < (1 if run == "first" else 2):
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=60)[0].decode()
    assert (process.returncode, output) == (130, "")
    assert not recorder.out.parent.exists()
    assert list((recorder.path / "temporary").iterdir()) == []
    assert gone_within(recorder.path, 10)
