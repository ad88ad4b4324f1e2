"""Emptying a directory in which a program nobody vouches for did as it liked."""

from __future__ import annotations

import os


def empty(directory: str) -> None:
    """Delete all that is in a directory, whatever its permissions and however deep.

    Directories are emptied by moving theirs up: no path grows long and nothing recurses.

    :raises OSError: when something in it cannot be deleted.
    """
    if os.stat(directory).st_uid == os.getuid():
        os.chmod(directory, 0o1777)
    while entries := list(os.scandir(directory)):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _lift(entry.path, directory)
            else:
                os.unlink(entry.path)


def _lift(path: str, target: str) -> None:
    """Delete a directory, having moved the directories in it into ``target``."""
    os.chmod(path, 0o700)
    for child in list(os.scandir(path)):
        if child.is_dir(follow_symlinks=False):
            os.chmod(child.path, 0o700)  # a directory that moves is written to
            os.rename(child.path, f"{target}/{os.urandom(8).hex()}")
        else:
            os.unlink(child.path)
    os.rmdir(path)
