from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import time
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import LockHeldError, PromotionError
from pytest_anchorgate.surgery.lock import FILE, lock

if TYPE_CHECKING:
    from pathlib import Path

SPAWN = multiprocessing.get_context("spawn")


def test_who_holds_it_is_named_and_nothing_stays(tmp_path: Path) -> None:
    with lock(tmp_path, "anchorgate promote\nv2.planck"):
        line = (tmp_path / FILE).read_text()
        with lock(tmp_path, "again, within"):
            pass
        assert (tmp_path / FILE).read_text() == line
    assert line == f"pid {os.getpid()} (anchorgate promote v2.planck)\n"
    assert list(tmp_path.iterdir()) == []


def test_without_a_word_the_process_alone_is_named(tmp_path: Path) -> None:
    with lock(tmp_path):
        assert (tmp_path / FILE).read_text() == f"pid {os.getpid()}\n"


@pytest.mark.parametrize(
    ("line", "holder"),
    [
        (b"pid 123 (anchorgate promote v2.planck)\n", r"pid 123 \(anchorgate promote v2.planck\)"),
        (b"pid 123 (a\x1b[31m\xff)\n", r"pid 123 \(a \[31m\ufffd\)"),
        (b"p" * 999, "p" * 200),
        (b"", "another process"),
    ],
)
def test_a_held_one_refuses_at_once(tmp_path: Path, line: bytes, holder: str) -> None:
    with (tmp_path / FILE).open("wb") as other:
        other.write(line)
        other.flush()
        fcntl.flock(other, fcntl.LOCK_EX)
        said = rf"\.promotion\.lock: held by {holder}\. Wait for it to end\.$"
        with pytest.raises(LockHeldError, match=said), lock(tmp_path, "x"):
            pass
        assert (tmp_path / FILE).read_bytes() == line


def test_what_a_kill_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("pid 1 (a name that is longer than the next one)\n")
    with lock(tmp_path, "x"):
        assert (tmp_path / FILE).read_text() == f"pid {os.getpid()} (x)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_holder_removes_meanwhile_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text("pid 1\n")
    flock, inodes = fcntl.flock, []

    def removed_first(fd: int, operation: int) -> None:
        if not inodes:
            (tmp_path / FILE).unlink()
        inodes.append(os.fstat(fd).st_ino)
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with lock(tmp_path, "x"):
        assert (tmp_path / FILE).stat().st_ino == inodes[1]


def add_many(path: Path, count: int) -> None:
    while count:
        try:
            with lock(path, "adding"):
                number = int((path / "number").read_text())
                time.sleep(0.001)
                (path / "number").write_text(str(number + 1))
        except LockHeldError:
            continue
        count -= 1


def test_only_one_process_holds_it(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    workers = [SPAWN.Process(target=add_many, args=(tmp_path, 25)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("number", "75")]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    said = r"nowhere/\.promotion\.lock: cannot be locked: No such file or directory\. Give room "
    with pytest.raises(PromotionError, match=said), lock(tmp_path / "nowhere", "x"):
        pass


@pytest.mark.parametrize("name", ["flock", "ftruncate"])
def test_a_system_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl if name == "flock" else os, name, refuse)
        said = r"cannot be locked: No locks available\. Give room and permission on a local disk"
        with pytest.raises(PromotionError, match=said), lock(tmp_path, "x"):
            pass
    with lock(tmp_path, "x"):
        pass
    assert list(tmp_path.iterdir()) == []
