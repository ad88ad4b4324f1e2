"""Files as they were at a revision, asked of the `git` command.

Knows nothing of what is in them. Nothing is checked out and nothing in the work tree is read.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ELSEWHERE = (  # what a hook of git's sets, and what would answer for another repository
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE",
)  # fmt: skip
_FILE, _SUBMODULE = b"100", b"160000"  # how the modes of ls-tree begin
_COMMIT = re.compile(rb"[0-9a-f]{40,64}\n")


def show(root: Path, revision: str, path: str | Path) -> bytes | None:
    """Return what the file ``path`` held at a revision, or None where it was not.

    ``path`` is relative to ``root``, or absolute within the work tree. Links are followed as
    they were then; a Git LFS pointer is returned as it is. Raises `UsageError`.
    """
    return show_files(root, revision, [path])[0]


def show_files(root: Path, revision: str, paths: Iterable[str | Path]) -> list[bytes | None]:
    """Return what `show` does for each of many paths, at the price of one."""
    tree = _Tree(root, revision)
    names = [tree.name(path) for path in paths]
    for name in names:
        if "\n" in name:  # git before 2.38 cannot be asked for it
            raise UsageError(f"{tree.where(name)}: {name!r} holds a line break. Rename the file.")
    asked = b"".join(os.fsencode(f"{tree.commit}:{name}") + b"\n" for name in names)
    answer = tree.git("cat-file", "--batch", "--follow-symlinks", given=asked)
    contents: list[bytes | None] = []
    for name in names:
        content, answer = _parse_answer(tree.where(name), answer)
        contents.append(content)
    absent = [name for name, content in zip(names, contents, strict=True) if content is None]
    tree.require_absent([name for name in absent if name])
    return contents


def list_files(root: Path, revision: str, directory: str | Path) -> tuple[str, ...]:
    """Return the files at and under ``directory`` at a revision, relative to ``root``, sorted.

    A directory that was not there has none. Raises `UsageError`.
    """
    tree = _Tree(root, revision)
    name = tree.name(directory)
    arguments = ["ls-tree", "-r", "-z", "--full-tree", tree.commit, "--"]
    answer = tree.git(*arguments, *([name] if name else []))
    names = [name for mode, name in _entries(answer) if mode != _SUBMODULE]
    return tuple(sorted(os.path.relpath(tree.top / name, tree.place) for name in names))


class _Tree:
    """A repository's files at one revision."""

    def __init__(self, root: Path, revision: str) -> None:
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - links keep their names
        self.revision = revision
        self.top = self._top()
        self.place = self.root.resolve()
        self.commit = self._commit()

    def git(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return what git says, or raise `UsageError` with its own first line."""
        run = _run_git(self.root, arguments, given)
        if run.returncode:
            asked = f"{self.root}: `git {arguments[0]}` at {self.revision!r} failed"
            raise UsageError(f"{asked}: {_complaint(run)}. Is the repository whole?")
        return run.stdout

    def name(self, path: str | Path) -> str:
        """Return the path from the top of the work tree, with slashes; "" is the top itself."""
        place = Path(os.path.normpath(self.root / path))
        if place.is_relative_to(self.root):  # spelled as `root` is, through whatever links
            place = self.place / place.relative_to(self.root)
        elif not place.is_relative_to(self.top):
            place = place.parent.resolve() / place.name
        if not place.is_relative_to(self.top):
            raise UsageError(
                f"{path}: lies outside the repository {self.top}, which alone knows what was at "
                f"{self.revision!r}. Name a file of it."
            )
        return "" if place == self.top else place.relative_to(self.top).as_posix()

    def require_absent(self, names: list[str]) -> None:
        """Tell what was not there from what a damaged or partial clone lacks the content of."""
        arguments = ["ls-tree", "-z", "--full-tree", self.commit, "--", *names]
        for mode, name in _entries(self.git(*arguments)) if names else ():
            if mode.startswith(_FILE):
                raise UsageError(
                    f"{self.where(name)}: the repository lacks the file's content. `git fetch` it."
                )

    def where(self, name: str) -> str:
        """Return the ``REV:PATH`` that messages begin with."""
        return f"{self.revision}:{os.path.relpath(self.top / name, self.place)}"

    def _top(self) -> Path:
        run = _run_git(self.root, ["rev-parse", "--show-toplevel"])
        if run.returncode:
            raise UsageError(
                f"{self.root}: git finds no work tree here: {_complaint(run)}. "
                f"What was at {self.revision!r} is known in a git repository alone."
            )
        return Path(os.fsdecode(run.stdout.removesuffix(b"\n")))

    def _commit(self) -> str:
        revision = self.revision
        if not revision or revision.startswith("-") or "\0" in revision:
            raise UsageError(f"{revision!r} is no git revision. Name a branch, a tag or a commit.")
        run = _run_git(self.root, ["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"])
        if run.returncode or not _COMMIT.fullmatch(run.stdout):
            raise UsageError(
                f"{self.root}: git knows no revision {revision!r} here. `git fetch` it; "
                "a CI checkout must fetch the whole history (fetch-depth 0)."
            )
        return run.stdout.decode().strip()


def _entries(listing: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield mode and name of each entry that ``ls-tree -z`` lists."""
    for entry in listing.split(b"\0")[:-1]:
        about, _, name = entry.partition(b"\t")
        yield about.split()[0], os.fsdecode(name)


def _parse_answer(where: str, answer: bytes) -> tuple[bytes | None, bytes]:
    """Split the first file off what ``cat-file --batch`` says; None is one that is missing.

    The form is in git-cat-file(1), BATCH OUTPUT: ``<oid> <type> <size>``, or ``<object>
    missing``, or ``<kind of trouble with links> <size>``, each sized one with its content.
    """
    head, _, rest = answer.partition(b"\n")
    if head.endswith((b" missing", b" submodule")):
        return None, rest
    *_, kind, size = head.split()
    content, rest = rest[: int(size)], rest[int(size) + 1 :]
    if kind == b"blob":
        return content, rest
    if kind in (b"tree", b"notdir"):
        return None, rest
    raise UsageError(
        f"{where}: was a link that led to no file of the repository ({kind.decode()}). "
        "Name the file itself."
    )


def _run_git(
    root: Path, arguments: Iterable[str], given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run git in ``root``, in English, without prompts, and for no other repository."""
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment = kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1"}
    command = ["git", "--no-pager", "-C", str(root), *arguments]
    try:
        return subprocess.run(
            command, input=given, env=environment, capture_output=True, check=False
        )
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"git: cannot be run: {why}. Install it, or put it on PATH.") from None


def _complaint(run: subprocess.CompletedProcess[bytes]) -> str:
    lines = os.fsdecode(run.stderr).strip().splitlines()
    return lines[0].removeprefix("fatal: ").rstrip(".") if lines else f"exit {run.returncode}"
