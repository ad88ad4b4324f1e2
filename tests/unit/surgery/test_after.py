from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.surgery import after
from pytest_anchorgate.surgery.after import run_after

if TYPE_CHECKING:
    import subprocess
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


def test_a_thread_may_run_it(tmp_path: Path) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run("echo a", tmp_path)))
    thread.start()
    thread.join(20)
    assert found == [(None, ["a"])]
