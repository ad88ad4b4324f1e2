from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.surgery import after
from pytest_anchorgate.surgery.after import run_after

if TYPE_CHECKING:
    from pathlib import Path


def run(command: str, root: Path) -> tuple[str | None, list[str]]:
    said: list[str] = []
    return run_after(command, root, say=said.append), said


def test_what_it_says_is_shown_line_by_line(tmp_path: Path) -> None:
    lines = "printf 'a\\nb'; printf 'c\\n' >&2; printf '\\377'; printf ' end'"
    assert run(lines, tmp_path) == (None, ["a", "bc", "\ufffd end"])
    assert run("pwd; cat; tty", tmp_path) == ("exited with 1", [str(tmp_path), "not a tty"])


def test_all_of_a_long_answer_comes_through(tmp_path: Path) -> None:
    status, said = run("seq 100000", tmp_path)
    assert (status, len(said), said[-1]) == (None, 100_000, "100000")


@pytest.mark.parametrize(
    ("command", "how"),
    [
        ("exit 3", "exited with 3"),
        ("kill -TERM $$", "exited with -15"),
        ("no-such-command", "exited with 127"),
        ("exec >&- 2>&-; sleep 0.1; exit 4", "exited with 4"),
        ("\0", "could not be started: embedded null byte"),
    ],
)
def test_how_it_failed(tmp_path: Path, command: str, how: str) -> None:
    assert run(command, tmp_path)[0] == how


def test_a_root_that_is_gone(tmp_path: Path) -> None:
    assert run("true", tmp_path / "gone")[0] == "could not be started: No such file or directory"


def test_what_it_leaves_running_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(after, "STILL_S", 0.1)
    began = time.monotonic()
    for server in ("sleep 9", "while sleep 0.001; do echo noise; done"):
        status, said = run(f"({server}) & echo $!", tmp_path)
        assert status is None
        os.kill(int(next(line for line in said if line.isdecimal())), 9)
    assert time.monotonic() - began < 5


def test_an_interrupt_ends_a_command_that_will_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(after, "GRACE_S", 0.1)

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    beat = "trap '' TERM; (while true; do echo >> beat; sleep 0.005; done) & echo begun; wait"
    with pytest.raises(KeyboardInterrupt):
        run_after(beat, tmp_path, say=interrupt)
    before = (tmp_path / "beat").stat().st_size
    time.sleep(0.1)
    assert (tmp_path / "beat").stat().st_size == before > 0


def test_an_interrupt_while_it_is_being_started_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = after._start

    def interrupted(command: str, root: Path) -> subprocess.Popen[bytes]:
        process = start(command, root)
        signal.raise_signal(signal.SIGINT)  # before anybody has its name
        return process

    monkeypatch.setattr(after, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("sleep 0.2; touch orphan", tmp_path)
    time.sleep(0.3)
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    beat = "(trap '' TERM; while true; do echo >> beat; sleep 0.005; done) & wait"
    code = "import sys, pathlib; from pytest_anchorgate.surgery.after import run_after; "
    code += "run_after(sys.argv[1], pathlib.Path(), say=print)"
    with subprocess.Popen([sys.executable, "-c", code, beat], cwd=tmp_path) as process:
        deadline = time.monotonic() + 20
        while not (tmp_path / "beat").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    time.sleep(0.2)
    before = (tmp_path / "beat").stat().st_size
    time.sleep(0.2)
    assert (tmp_path / "beat").stat().st_size == before > 0


def test_a_command_may_take_its_time_to_end(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_after(
            "trap 'sleep 0.2; touch tidied; exit' TERM; echo begun; while sleep 0.01; do :; done",
            tmp_path,
            say=interrupt,
        )
    assert (tmp_path / "tidied").exists()


def test_nothing_of_where_it_stands_is_imported(tmp_path: Path) -> None:
    (tmp_path / "signal.py").write_text("raise RuntimeError")
    assert run("echo a", tmp_path) == (None, ["a"])


def test_a_thread_may_run_it(tmp_path: Path) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run("echo a", tmp_path)))
    thread.start()
    thread.join(20)
    assert found == [(None, ["a"])]
