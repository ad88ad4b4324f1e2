from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import InvalidTrainingError, SurgeryError, UsageError
from pytest_anchorgate.surgery.child import run_child

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEGIN = (
    "import os, signal, subprocess, sys, time\nsay = lambda line: print(line, file=sys.stderr)\n"
)
ATTENDED = "from pytest_anchorgate.surgery.child import end_with_parent\nend_with_parent()\n"
FOREVER = "say(f'pid {os.getpid()}')\ntime.sleep(60)\n"
PARENT = """
from pathlib import Path
from pytest_anchorgate.surgery.child import run_child
run_child("worker", [], Path("log.txt"), lambda line: print(line, flush=True))
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the module ``worker`` that `run_child` will find."""
    found = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{found}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def write(body: str) -> None:
        (tmp_path / "worker.py").write_text(BEGIN + body)

    return write


def run(folder: Path, *arguments: str) -> list[str]:
    said: list[str] = []
    run_child("worker", arguments, folder / "logs/log.txt", said.append)
    return said


def log(folder: Path) -> str:
    return (folder / "logs/log.txt").read_text()


def is_alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - read at once, it may go
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline, pid
        time.sleep(0.01)


def test_what_it_says_is_shown_line_by_line_and_logged(
    tmp_path: Path, write: Callable[[str], None]
) -> None:
    write("say('one')\nsay('')\nsay('two' + os.environ['PYTHONUNBUFFERED'])\nprint('report')")
    assert run(tmp_path) == ["one", "two1"]
    assert run(tmp_path) == ["one", "two1"]
    assert log(tmp_path) == 2 * "one\n\ntwo1\n", "the log goes on where it was"


def test_it_is_told_that_somebody_waits(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("say(sys.argv[1:])")
    assert run(tmp_path, "a.toml", "--out", "b c") == ["['a.toml', '--out', 'b c', '--attended']"]


@pytest.mark.parametrize(("status", "error"), [(2, UsageError), (10, InvalidTrainingError)])
def test_what_it_refuses_is_raised_in_its_words(
    tmp_path: Path, write: Callable[[str], None], status: int, error: type[Exception]
) -> None:
    write(f"say('step 1')\nsay('anchorgate: r.toml: seed = 7 is odd. Take 8.')\nsys.exit({status})")
    with pytest.raises(error, match=r"^r.toml: seed = 7 is odd. Take 8.$"):
        run(tmp_path)
    assert "anchorgate: r.toml: seed = 7" in log(tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("say('a')\nsay('boom 7')\nsys.exit(3)", "worker: died with exit status 3: boom 7. See "),
        ("say('usage: x')\nsys.exit(2)", "worker: died with exit status 2: usage: x. See "),
        ("sys.exit(10)", "worker: died with exit status 10: it left no word. See "),
        ("1 / 0", "worker: died with exit status 1: ZeroDivisionError: division by zero. See "),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "worker: was killed by SIGKILL; too little memory",
        ),
        ("os.abort()", "worker: was killed by SIGABRT; too little memory"),
    ],
)
def test_a_death_is_told_with_its_cause_and_the_log(
    tmp_path: Path, write: Callable[[str], None], body: str, said: str
) -> None:
    write(body)
    with pytest.raises(SurgeryError, match=f"^{re.escape(said)}") as error:
        run(tmp_path)
    assert str(tmp_path / "logs/log.txt") in str(error.value)
    assert "\n" not in str(error.value)


def test_ctrl_c_ends_it_and_what_it_started(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("child = subprocess.Popen(['sleep', '60'])\nsay(f'pid {child.pid}')\n" + FOREVER)
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line.removeprefix("pid ")))
        if len(pids) == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_child("worker", [], tmp_path / "log.txt", interrupt)
    assert len(pids) == 2
    for pid in pids:
        wait_for_end(pid)


def test_what_a_dead_one_left_running_is_ended_and_not_waited_for(
    tmp_path: Path, write: Callable[[str], None]
) -> None:
    write(
        "child = subprocess.Popen(['sleep', '60'])\nsay(f'pid {child.pid}')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    said: list[str] = []
    began = time.monotonic()
    with pytest.raises(SurgeryError, match="was killed by SIGKILL"):
        run_child("worker", [], tmp_path / "log.txt", said.append)
    assert time.monotonic() - began < 20
    wait_for_end(int(said[0].removeprefix("pid ")))


def test_the_death_of_the_parent_ends_it(tmp_path: Path, write: Callable[[str], None]) -> None:
    write(ATTENDED + FOREVER)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline().removeprefix("pid "))
        assert is_alive(pid)
        parent.kill()
    wait_for_end(pid)
