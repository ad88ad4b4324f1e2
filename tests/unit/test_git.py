from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.git import list_files, show, show_files
from tests.repository import Repository

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"
WEIRD = (
    "a b", "-x", "--", "ü", ":(top)x", 'quo"te', "back\\slash", "tab\tbed", "*", "x missing",
)  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def old(repository: Repository) -> str:
    """A commit whose files are all others, or gone, now."""
    commit = repository.commit({"a/x.txt": "old\n", "a/b/y.txt": b"\xff\0", "ab/z.txt": ""})
    repository.git("rm", "-q", "-r", "a/b", "ab")
    repository.commit({"a/x.txt": "new\n", "later.txt": "later\n"})
    repository.write({"a/x.txt": "not committed\n"})
    return commit


def test_a_file_as_it_was(repository, old):
    root = repository.root
    assert show(root, old, "a/x.txt") == b"old\n"
    assert show(root, "HEAD~1", "a/b/y.txt") == b"\xff\0"
    assert show(root, "main", "a/x.txt") == b"new\n"
    assert show(root, old, "ab/z.txt") == b""


@pytest.mark.parametrize("path", ["later.txt", "a", "", ".", "a/x.txt/deeper", "no/such"])
def test_what_was_no_file_there_is_none(repository, old, path):
    assert show(repository.root, old, path) is None


def test_many_files_are_asked_for_at_once(repository, old):
    paths = ["ab/z.txt", "no", "a/b/y.txt", "a", repository.root / "a/x.txt"]
    assert show_files(repository.root, old, paths) == [b"", None, b"\xff\0", None, b"old\n"]
    assert show_files(repository.root, old, []) == []


def test_files_of_a_directory_are_relative_to_the_root(repository, old):
    root = repository.root
    assert list_files(root, old, "a") == ("a/b/y.txt", "a/x.txt")
    assert list_files(root, old, "a/") == ("a/b/y.txt", "a/x.txt")
    assert list_files(root, old, ".") == ("a/b/y.txt", "a/x.txt", "ab/z.txt")
    assert list_files(root, old, "a/x.txt") == ("a/x.txt",)
    assert list_files(root, "main", "ab") == list_files(root, "main", "no/such") == ()


def test_the_root_may_lie_within_the_work_tree(repository, old):
    root = repository.root / "a"
    assert show(root, old, "x.txt") == b"old\n"
    assert show(root, old, "../ab/z.txt") == b""
    assert show(root, old, repository.root / "ab/z.txt") == b""
    assert list_files(root, old, ".") == ("b/y.txt", "x.txt")
    assert list_files(root, old, "..") == ("../ab/z.txt", "b/y.txt", "x.txt")


def test_paths_may_be_absolute_and_go_through_links(repository, old, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(repository.root)
    for root in (link, repository.root, link / "a"):
        for place in (link, repository.root):
            assert show(root, old, place / "a/x.txt") == b"old\n"


def test_a_relative_root_is_where_the_process_is(repository, old, monkeypatch):
    monkeypatch.chdir(repository.root)
    assert show(Path(), old, "a/x.txt") == b"old\n"
    assert list_files(Path("a"), old, "b") == ("b/y.txt",)


def test_weird_names_are_names(repository):
    repository.commit({f"{name}/{name}": name for name in WEIRD})
    root = repository.root
    assert show_files(root, "main", [f"{name}/{name}" for name in WEIRD]) == [
        name.encode() for name in WEIRD
    ]
    for name in WEIRD:
        assert list_files(root, "main", name) == (f"{name}/{name}",)
    assert len(list_files(root, "main", "")) == len(WEIRD)


def test_a_name_that_is_no_text_is_found(repository):
    name = os.fsdecode(b"\xff.txt")
    repository.commit({name: "x"})
    assert list_files(repository.root, "main", "") == (name,)
    assert show(repository.root, "main", name) == b"x"


def test_a_line_break_in_a_name_is_refused(repository):
    repository.commit({"a\nb": "x"})
    with pytest.raises(UsageError, match=r"'a\\nb' holds a line break. Rename the file"):
        show(repository.root, "main", "a\nb")


def test_links_are_followed_as_they_were(repository):
    repository.write({"a/x.txt": "x"})
    for link, target in (("file", "a/x.txt"), ("folder", "a"), ("lost", "no"), ("out", "/etc")):
        (repository.root / link).symlink_to(target)
    repository.commit()
    root = repository.root
    assert show(root, "main", "file") == show(root, "main", "folder/x.txt") == b"x"
    assert show(root, "main", "folder") is None
    for link, why in (("lost", "dangling"), ("out", "symlink")):
        with pytest.raises(UsageError, match=rf"^main:{link}: was a link .*\({why}\)"):
            show(root, "main", link)


def test_a_pointer_of_git_lfs_is_returned_as_it_is(repository):
    repository.commit({".gitattributes": "*.planck filter=lfs\n", "x.planck": POINTER})
    assert show(repository.root, "main", "x.planck") == POINTER


def test_a_submodule_is_no_file(repository):
    commit = repository.commit({"x": ""})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    repository.git("commit", "-q", "-m", "module")
    assert show(repository.root, "main", "module") is None
    assert list_files(repository.root, "main", "") == ("x",)


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_the_repository_is_the_roots_whatever_a_hook_set(
    repository, old, tmp_path, monkeypatch, name
):
    other = Repository(tmp_path / "other")
    monkeypatch.setenv(name, str(other.root / ".git"))
    assert show(repository.root, old, "a/x.txt") == b"old\n"


@pytest.mark.parametrize("revision", ["nowhere", "0" * 40, "HEAD:a", "main..main", "^main", "a\nb"])
def test_an_unknown_revision_says_how_to_get_it(repository, old, revision):
    message = re.escape(f"git knows no revision {revision!r} here. `git fetch` it; a CI checkout")
    for ask in (show, list_files):
        with pytest.raises(UsageError, match=message):
            ask(repository.root, revision, "a")


@pytest.mark.parametrize("revision", ["", "-h", "--output=x", "a\0b"])
def test_what_cannot_be_a_revision_is_refused(repository, old, revision):
    with pytest.raises(UsageError, match=f"^{re.escape(repr(revision))} is no git revision"):
        show(repository.root, revision, "a")


def test_a_place_without_a_repository_is_named(tmp_path):
    message = rf"^{re.escape(str(tmp_path))}: git finds no work tree here: not a git .*'main'"
    with pytest.raises(UsageError, match=message):
        show(tmp_path, "main", "a")
    with pytest.raises(UsageError, match=r"no/such: git finds no work tree here: cannot change"):
        show(tmp_path / "no/such", "main", "a")


def test_a_file_outside_the_repository_is_refused(repository, old, tmp_path):
    for path in ("../elsewhere", tmp_path / "elsewhere", "/etc/passwd"):
        with pytest.raises(UsageError, match=rf"^{path}: lies outside the repository .*repository"):
            show(repository.root, old, path)


def test_a_machine_without_git_says_so(repository, old, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"^git: cannot be run: No such file .*Install it"):
        show(repository.root, old, "a")


def test_what_a_damaged_repository_lacks_is_not_taken_for_absent(repository, old):
    def lose(revision: str) -> None:
        name = repository.git("rev-parse", revision)
        (repository.root / ".git/objects" / name[:2] / name[2:]).unlink()

    lose(f"{old}:a/b/y.txt")
    with pytest.raises(UsageError, match=f"^{old}:a/b/y.txt: the repository lacks the file's"):
        show(repository.root, old, "a/b/y.txt")
    lose(f"{old}^{{tree}}")
    for ask in (show, list_files):
        with pytest.raises(UsageError, match=rf"`git ls-tree` at '{old}' failed: not a tree"):
            ask(repository.root, old, "a")
