"""What is left of a program when it is over: nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_anchorgate.sandbox import process
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.run import run_program

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
LEAVES_A_SLEEPER = "import os, time\npid = os.fork()\nif not pid:\n    time.sleep(60)\nprint(pid)"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def run(program, *tests, limits=Limits(cpu_s=1.0)):  # noqa: B008 - frozen
    return run_program(program, tests, limits=limits)


def test_a_program_has_a_directory_of_its_own_while_it_runs(temporary):
    outcome = run("import os, tempfile\nopen('f', 'w').close()\nprint(os.getcwd())")
    assert Path(outcome.stdout_tail.strip()).parent == temporary
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_left_behind_is_killed():
    pid = int(run(LEAVES_A_SLEEPER).stdout_tail)
    assert gone(pid)


def gone(pid):
    """Whether a process is dead; whoever inherited it may not have collected it yet."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@needs_proc
def test_fifty_programs_leave_no_process_descriptor_or_directory(temporary):
    programs = ["x = 1", "1 / 0", "import os; os._exit(3)", LEAVES_A_SLEEPER, "def f(:"]
    run("x = 1")
    before, children_before = open_descriptors(), children()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(run, programs * 10))
    assert [o.kind for o in outcomes] == ["passed", "failed", "failed", "passed", "failed"] * 10
    assert open_descriptors() == before
    assert list(temporary.iterdir()) == []
    assert children() == children_before


@needs_proc
def test_without_pidfd_the_process_is_polled(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert run("import time\ntime.sleep(0.05)\nprint(1)").stdout_tail == "1\n"


def open_descriptors():
    return {entry.name for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


def children():
    """Return the ids of this process's children, zombies included."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = stat.read_text().rpartition(")")[2].split()[1]
            found |= {stat.parent.name} if int(parent) == os.getpid() else set()
    return found


INTERRUPTED = """
import sys
from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.run import run_program
program = '''
import os, sys, time
open(sys.argv[0] and PATH, 'w').write(f"{os.getpid()} {os.getcwd()}")
time.sleep(60)
'''.replace('PATH', repr(sys.argv[1]))
run_program(program, [], limits=Limits())
"""


def test_an_interrupt_of_the_parent_leaves_nothing(tmp_path):
    note = tmp_path / "note"
    arguments = [sys.executable, "-c", INTERRUPTED, str(note)]
    parent = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    for _ in range(500):
        if note.exists() and note.read_text():
            break
        time.sleep(0.02)
    pid, directory = note.read_text().split()
    parent.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in parent.communicate()[1]
    assert gone(int(pid))
    assert not Path(directory).exists()


def test_a_failing_disk_is_an_error_of_ours(temporary, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    outcome = run("x = 1")
    assert outcome.kind == "error"
    assert outcome.reason.startswith("sandbox: [Errno 2] No such file or directory: ")


def test_numpy_is_optional(monkeypatch):
    monkeypatch.setattr(process, "numpy_path", lambda: "")
    assert run("import numpy").reason == (
        "ModuleNotFoundError: No module named 'numpy' (program line 1)"
    )
