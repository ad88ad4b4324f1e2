from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.ratchet import plain_at, plain_here, ratchet
from tests.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

MARKED = "import pytest\n\n\n@pytest.mark.anchor\ndef {}(planck):\n    assert planck\n"
OTHER = MARKED.replace("assert planck", "assert not planck")
ADVICE = "Put it back as it was, or waive it in anchors/waivers.toml."


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def here(repository: Repository, *paths: str) -> dict[str, str]:
    return plain_here(repository.root, paths or ["tests/gate"])


def past(repository: Repository, *paths: str) -> dict[str, str]:
    return plain_at(repository.root, "main", paths or ["tests/gate"])


def test_a_test_file_is_read_where_pytest_would(repository):
    repository.commit(
        {
            "tests/gate/test_a.py": MARKED.format("test_a"),
            "tests/gate/deep/b_test.py": MARKED.format("test_b"),
            "tests/gate/helper.py": MARKED.format("test_c"),
            "tests/gate/.hidden/test_d.py": MARKED.format("test_d"),
            "tests/gate/build/test_e.py": MARKED.format("test_e"),
            "tests/test_f.py": MARKED.format("test_f"),
            "tests/gate/env/pyvenv.cfg": "",
        }
    )
    names = {"tests/gate/test_a.py::test_a", "tests/gate/deep/b_test.py::test_b"}
    assert here(repository).keys() == names
    assert past(repository) == here(repository)
    whole = past(repository, ".")
    assert whole == here(repository, ".")
    assert whole.keys() == names | {"tests/test_f.py::test_f"}
    for path in ("tests/gate/helper.py", "./tests/gate/helper.py"):
        assert past(repository, path).keys() == {"tests/gate/helper.py::test_c"}
        assert here(repository, path) == past(repository, path)


def test_an_environment_among_the_tests_is_none_of_them(repository):
    repository.write({"tests/env/pyvenv.cfg": "", "tests/env/lib/test_x.py": "anchor = ("})
    assert here(repository, "tests") == {}


def test_what_changed_and_went_is_seen(repository):
    repository.commit(
        {
            "tests/gate/test_a.py": MARKED.format("test_a"),
            "tests/gate/test_b.py": MARKED.format("test_b"),
            "tests/gate/test_c.py": MARKED.format("test_c"),
        }
    )
    (repository.root / "tests/gate/test_a.py").unlink()
    repository.write({"tests/gate/test_b.py": OTHER.format("test_b")})
    said = ratchet((), (), plain_before=past(repository), plain_now=here(repository), waived=())
    assert said == (
        f"tests/gate/test_a.py::test_a: this plain anchor is gone. {ADVICE}",
        f"tests/gate/test_b.py::test_b: this plain anchor's source changed. {ADVICE}",
    )


def test_line_ends_and_encodings_are_no_change(repository):
    source = MARKED.format("test_ü").replace("\n", "\r\n")
    repository.commit({"t/test_a.py": source})
    latin = f"# -*- coding: latin-1 -*-\n{source}".encode("latin-1")
    repository.write({"t/test_a.py": latin})
    assert here(repository, "t") == past(repository, "t")


def test_what_does_not_exist_holds_none(repository):
    repository.commit({"tests/gate/test_a.py": MARKED.format("test_a")})
    assert here(repository, "no/such") == past(repository, "no/such") == {}
    (repository.root / "tests/gate/test_b.py").symlink_to("nowhere")
    assert len(here(repository)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# anchor\nx = (\n", r":2: '\(' was never closed"),
        (b"# anchor\n#\n#\n# \xff\n", r":4: .*can't decode byte 0xff .*Save the file as UTF-8"),
        (b"# anchor \xff\n", ":1: invalid or missing encoding"),
        ("# coding: no-such\n# anchor", ":1: unknown encoding: no-such"),
    ],
)
def test_a_file_that_does_not_compile_is_named(repository, content, message):
    repository.commit({"t/test_a.py": content})
    with pytest.raises(UsageError, match=rf"^t/test_a\.py{message}"):
        here(repository, "t")
    with pytest.raises(UsageError, match=rf"^main:t/test_a\.py{message}"):
        past(repository, "t")


def test_a_file_without_the_word_needs_no_parser(repository):
    repository.commit({"t/test_a.py": "x = ("})
    assert here(repository, "t") == past(repository, "t") == {}


def test_a_folder_named_like_a_test_is_none(repository):
    repository.write({"t/test_a.py/test_b.py": MARKED.format("test_b")})
    repository.commit()
    assert here(repository, "t") == past(repository, "t")
    assert len(here(repository, "t")) == 1


def test_an_unknown_revision_is_an_error_without_any_path(repository):
    repository.commit()
    with pytest.raises(UsageError, match=re.escape("no revision 'gone'")):
        plain_at(repository.root, "gone", [])
