from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.atomic import replace_file, write_file


def test_a_file_is_written_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "x"
    write_file(path, b"one", parents=True)
    write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_file(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PackError, match=r"x: cannot be written: No space left on device\. "):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_file(path, b"value")
    reader.join()
    assert read == [b"value"]
    assert path.is_fifo()
    wrong = r"pipe: is no regular file, and is not replaced by one\."
    with pytest.raises(PackError, match=wrong), replace_file(path):
        raise AssertionError


def test_a_device_without_room_is_one_line_and_stays_a_device() -> None:
    with pytest.raises(PackError, match="/dev/full: cannot be written: No space left on device"):
        write_file(Path("/dev/full"), b"value")
    assert Path("/dev/full").is_char_device()
