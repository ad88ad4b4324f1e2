"""The ratchet: what was an anchor at a revision is an anchor still, and no easier one.

Compares tasks with tasks and digests with digests. Knows nothing of packs and verdicts.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.util import decode_source
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import TaskFileError, UsageError
from pytest_anchorgate.git import list_files, show_files
from pytest_anchorgate.tasks.plain import plain_anchors
from pytest_anchorgate.tasks.rows import split_lines
from pytest_anchorgate.tasks.suites import load_own

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_anchorgate.tasks.spec import SuiteSpec
    from pytest_anchorgate.tasks.task import Task

_ADVICE = "Put it back as it was, or waive it in anchors/waivers.toml."
_TEST_FILES = ("test_*.py", "*_test.py")  # pytest's python_files
_NOT_ENTERED = (".*", "*.egg", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")
SESSION_TIMEOUT_S = 3.0  # the default of --gate-timeout


def anchors_at(
    root: Path, revision: str, specs: Collection[SuiteSpec], *, references: Mapping[str, SuiteSpec]
) -> tuple[Task, ...]:
    """Return the anchors that these files held at a revision.

    A file that was not there held none. Reference rows resolve against the suite files of now.
    Raises `UsageError` with ``REV:PATH:line`` for a row that cannot be read any more.
    """
    contents = show_files(root, revision, [spec.path for spec in specs])
    files = []
    for spec, content in zip(specs, contents, strict=True):
        if content is not None:
            past = Path(f"{revision}:{_relative(root, spec.path)}")
            files.append((replace(spec, path=past), content))
    try:
        lines = ((spec, split_lines(content, spec.path)) for spec, content in files)
        return load_own("anchor", lines, resolve=references)
    except UsageError as error:
        raise UsageError(f"{error} The ratchet needs every anchor of {revision!r}.") from None


def plain_at(root: Path, revision: str, paths: Sequence[str]) -> dict[str, str]:
    """Return the plain anchors that test files under ``paths`` held at a revision, with digests.

    The keys are node ids relative to ``root``. A file named itself is read whatever its name.
    Raises `UsageError` with ``REV:PATH:line`` for a file that does not compile.
    """
    names = {
        name
        for path in paths
        for name in list_files(root, revision, path)
        if _is_test_file(name, _relative(root, path))
    }
    ordered = sorted(names)
    try:
        return _plain(zip(ordered, show_files(root, revision, ordered), strict=True))
    except TaskFileError as error:
        raise UsageError(f"{revision}:{error}") from None


def plain_here(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return the plain anchors that test files under ``paths`` hold now, as `plain_at` does."""
    names = {
        name
        for path in paths
        for name in _walk(root, _relative(root, path))
        if _is_test_file(name, _relative(root, path))
    }
    return _plain((name, _read(root / name)) for name in sorted(names))


def ratchet(
    before: Sequence[Task],
    now: Sequence[Task],
    *,
    plain_before: Mapping[str, str],
    plain_now: Mapping[str, str],
    waived: Collection[str],
    session_timeout_s: float = SESSION_TIMEOUT_S,
) -> tuple[str, ...]:
    """Return one sentence for each way in which an anchor was lost or made easier, by task.

    That is: it is gone, its text or tests changed, its time limit rose, its tests moved beside
    the program, or its mark as a sentinel changed. A new anchor is none of these, and neither
    is what happened to a task in ``waived``. ``session_timeout_s`` is the limit of a task that
    names none.
    """
    tasks = {task.id: task for task in now}
    found = [
        (task.id, breach)
        for task in before
        for breach in _breaches(task, tasks.get(task.id), session_timeout_s)
    ]
    for name, digest in plain_before.items():
        if name not in plain_now:
            found.append((name, "this plain anchor is gone"))
        elif plain_now[name] != digest:
            found.append((name, "this plain anchor's source changed"))
    return tuple(
        f"{name}: {breach}. {_ADVICE}"
        for name, breach in sorted(found, key=lambda pair: pair[0])
        if name not in waived
    )


def _breaches(before: Task, now: Task | None, session_timeout_s: float) -> Iterator[str]:
    if now is None:
        yield f"this anchor is gone{_at(before)}"
        return
    if now.digest != before.digest:
        yield f"this anchor's text or tests changed{_at(now)}"
    limits = [session_timeout_s if t.timeout_s is None else t.timeout_s for t in (before, now)]
    if limits[1] > limits[0]:
        yield f"this anchor's time limit rose from {limits[0]:g} s to {limits[1]:g} s{_at(now)}"
    if now.together and not before.together:
        yield f"this anchor's tests now run beside the program that they judge{_at(now)}"
    if now.sentinel != before.sentinel:
        became = "became a sentinel" if now.sentinel else "is no sentinel any more"
        yield f"this anchor {became}{_at(now)}"


def _at(task: Task) -> str:
    return f" ({task.origin})" if task.origin else ""


def _relative(root: Path, path: str | Path) -> str:
    return Path(os.path.relpath(root / path, root)).as_posix()


def _is_test_file(name: str, start: str) -> bool:
    """Say whether pytest would look for tests in the file when it is told to run ``start``."""
    if name == start:
        return name.endswith(".py")
    below = PurePosixPath(name).relative_to(start)
    entered = not any(_matches(part, _NOT_ENTERED) for part in below.parts[:-1])
    return entered and _matches(below.name, _TEST_FILES)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _walk(root: Path, start: str) -> Iterator[str]:
    """Yield the files at and under ``start``, relative to ``root``; environments are no tests."""
    if (root / start).is_file():
        yield start
    for place, folders, files in os.walk(root / start):
        if "pyvenv.cfg" in files:
            folders.clear()
        folders[:] = [name for name in folders if not _matches(name, _NOT_ENTERED)]
        for name in files:
            yield _relative(root, Path(place) / name)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a link to nowhere
        return None
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path}: cannot be read: {why}. Give a readable file.") from None


def _plain(files: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    anchors: dict[str, str] = {}
    for name, content in files:
        if content is not None and b"anchor" in content:  # most files need no parser
            anchors |= plain_anchors(_decode(content, name), name)
    return anchors


def _decode(content: bytes, name: str) -> str:
    try:
        return decode_source(content)
    except (SyntaxError, UnicodeDecodeError) as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        raise TaskFileError(f"{name}:{line}: {error}. Save the file as UTF-8.") from None
