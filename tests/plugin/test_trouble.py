"""What goes wrong ends in one clear line, the right exit status, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.pack.format import digest_file

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject


def processes_of(path: Path) -> list[str]:
    """Return the command lines that mention a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(path) in line and entry.parent.name != str(os.getpid()):
            found.append(line)
    return found


def gone_within(path: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while processes_of(path) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not processes_of(path)


@pytest.mark.parametrize("way", [(), ("-n2",)], ids=["n0", "n2"])
def test_a_model_that_dies_ends_the_run_and_charges_nobody(
    project: GateProject, way: tuple[str, ...]
) -> None:
    project.answer("two", "<die>")
    result, report = project.gate(*way)
    assert (result.ret, report["decision"], report["lost"]) == (10, "invalid", [])
    line = "the model's process was killed by SIGKILL; too little memory is the usual reason.*"
    result.stdout.fnmatch_lines([f"INVALID: {line}"])
    statuses = [task["status"] for task in report["tasks"]]
    assert set(statuses) <= {"passed", "error"}  # some were answered before it died
    assert "error" in statuses
    result.assert_outcomes(errors=statuses.count("error"), passed=statuses.count("passed"))


def test_an_engine_that_cannot_start_says_why_in_its_last_line(project: GateProject) -> None:
    result, report = project.gate("--gate-engine", "scripted:NoSuchEngine")
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stdout.fnmatch_lines(
        ["INVALID: the model's process died with exit status 1: --gate-engine=scripted:NoSuch*"]
    )


@pytest.mark.parametrize("way", [(), ("-n2",)], ids=["n0", "n2"])
def test_ctrl_c_leaves_no_process_and_exits_with_2(
    project: GateProject, way: tuple[str, ...]
) -> None:
    project.answer("two", "<hang>")
    arguments = ["--pack", "tiny", "-m", "anchor", "--gate-json", "out.json", *way]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    while not project.loads():
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(run.pid, signal.SIGINT)
    output = run.communicate(timeout=60)[0].decode()
    assert run.returncode == 2, output
    assert json.loads((project.path / "out.json").read_text())["decision"] == "invalid"
    assert gone_within(project.path, 10)


def test_a_killed_pytest_takes_the_model_with_it(project: GateProject) -> None:
    project.answer("two", "<hang>")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--pack", "tiny", "-m", "anchor"],
        cwd=project.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not project.loads():
        time.sleep(0.05)
    run.kill()
    run.wait()
    assert gone_within(project.path, 10)


def test_a_killed_worker_is_no_pass(project: GateProject) -> None:
    (project.path / "conftest.py").write_text(
        "import os, pytest, signal\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_call(item):\n"
        "    if 'seven' in item.nodeid: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result, report = project.gate("-n2")
    assert result.ret == 10
    assert (report["decision"], report["not_run"]) == ("invalid", ["anchor:own/seven"])


def test_a_damaged_production_pack_is_refused_before_generation(project: GateProject) -> None:
    pack = project.path / "packs" / "tiny.planck"
    promised = digest_file(pack)
    (project.path / "packs" / "production.toml").write_text(
        f'pack = "tiny.planck"\nsha256 = "{promised}"\nprevious = ""\n'
    )
    result = project.run("-m", "anchor")
    assert result.ret == 0
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.write_bytes(damaged)
    for arguments in ((), ("--pack", "tiny.planck"), ("-n2",)):
        result = project.run("-m", "anchor", "--gate-json", "out.json", *arguments)
        assert result.ret == 10
        result.stderr.fnmatch_lines([f"*has sha256 {digest_file(pack)}*says {promised}.*"])
        report = json.loads((project.path / "out.json").read_text())
        assert report["decision"] == "invalid"
    assert project.loads() == 1


def test_a_damaged_pack_without_production_is_found_when_it_is_loaded(
    project: GateProject,
) -> None:
    pack = project.path / "packs" / "tiny.planck"
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.write_bytes(damaged)
    result, report = project.gate("--gate-engine", "transformers")
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stdout.fnmatch_lines(["INVALID: *tiny.planck: * has sha256 *"])


def test_a_report_that_cannot_be_written_changes_nothing(project: GateProject) -> None:
    result = project.run("--pack", "tiny", "-m", "anchor", "--gate-json", "nowhere/out.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["anchorgate: *nowhere/out.json: cannot be written: No such file*"])


def test_a_store_that_is_no_store_is_invalid_in_one_line(project: GateProject) -> None:
    (project.path / "broken").mkdir()
    (project.path / "broken" / "store.sqlite").write_bytes(b"no database at all " * 500)
    result, report = project.gate("--gate-store", "broken")
    assert (result.ret, report["decision"]) == (10, "invalid")
    result.stderr.fnmatch_lines(["*broken/store.sqlite: the completion store cannot be used*"])


def test_two_gates_at_once_share_a_store(project: GateProject) -> None:
    command = [sys.executable, "-m", "pytest", "--pack", "tiny", "-m", "anchor", "-q"]
    runs = [subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [run.communicate(timeout=120)[0].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], outputs


def test_the_runs_own_rows_are_gone_afterwards(project: GateProject) -> None:
    import sqlite3

    project.gate("-n2")
    with sqlite3.connect(project.path / ".anchorgate" / "store.sqlite") as db:
        counts = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("runs", "requests", "expected", "completions")
        }
    assert counts == {"runs": 0, "requests": 0, "expected": 0, "completions": 4}


@pytest.mark.parametrize("how", ["--dist=loadfile", "--dist=worksteal", "--maxprocesses=1"])
def test_one_model_serves_however_items_are_spread(project: GateProject, how: str) -> None:
    result, report = project.gate("-n2", how)
    assert (result.ret, report["decision"]) == (0, "accepted")
    (log,) = (project.path / ".anchorgate" / "logs").glob("*.log")
    assert log.read_text().count("loaded ") == 1
