"""Files and directories that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Give an open temporary file beside ``path`` that takes its place when the block ends well.

    A kill at any moment leaves the old file or the new one. An exception, also Ctrl-C, removes
    the temporary file. Raises `PackError` when the system refuses (a full disk, no permission).
    """
    if _is_special(path):
        raise PackError(f"{path}: is no regular file, and is not replaced by one. Name another.")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Give a temporary directory beside ``path`` that takes its name when the block ends well.

    ``path`` must not exist or be an empty directory, else `PackError`. Until the end nothing is
    at ``path``; an exception removes the temporary directory.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a symlink keeps its name
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise PackError(f"{path}: exists and is not an empty directory. Name a new directory.")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir()
        yield temporary
        sync_directory(temporary)
        temporary.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_file(path: Path, value: bytes, *, parents: bool = False) -> None:
    """Write ``value`` as the file ``path``, whole or not at all; into a device or a pipe as it is.

    ``parents``: make the directories that it lies in.
    """
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        if _is_special(path):  # as /dev/stdout: to be written to, never to be replaced
            path.write_bytes(value)
            return
    except OSError as error:
        raise _unwritable(path, error) from None
    with replace_file(path) as file:
        file.write(value)


def _is_special(path: Path) -> bool:
    """Whether something stands there that is neither a file nor a directory."""
    return path.exists() and not path.is_file() and not path.is_dir()


def sync_directory(path: Path) -> None:
    """Make the names in the directory ``path`` survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unwritable(path: Path, error: OSError) -> PackError:
    reason = error.strerror or str(error)
    return PackError(f"{path}: cannot be written: {reason}. Name a place with room and permission.")
