from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate import cli
from pytest_anchorgate.errors import PackError, UsageError
from pytest_anchorgate.init import init_repository
from pytest_anchorgate.pack.production import read_production

if TYPE_CHECKING:
    from collections.abc import Callable

DEMO = Path(__file__).parents[2] / "packs" / "demo-v1.planck"
NEW = (
    "tests/gate/test_gate.py",
    "anchors/README.md",
    ".github/workflows/anchor-gate.yml",
    "packs/production.toml",
    "pytest.ini",
    ".gitignore",
)
ROW = '{"id": "a", "prompt": "def f():\\n", "entry_point": "f", "tests": ["assert f()"]}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with one pack in it."""
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "demo.planck").symlink_to(DEMO)
    return tmp_path


def init(root: Path, pack: str | None = None) -> list[str]:
    return list(init_repository(root, pack=pack))


def held(root: Path) -> dict[str, bytes]:
    """Every file below ``root``, with its content."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_everything_is_written_into_an_empty_repository(root):
    lines = init(root)
    assert lines[: len(NEW)] == [f"wrote {name}" for name in NEW]
    assert lines[-1].startswith("next: write anchors/mine.jsonl as anchors/README.md shows it; ")
    assert held(root).keys() == {*NEW, "packs/demo.planck"}
    assert (root / "tests/gate/test_gate.py").read_text("utf-8").count("planck.verify(task)") == 3
    assert (root / ".gitignore").read_text("utf-8") == ".anchorgate/\n"


def test_a_second_run_writes_nothing(root):
    init(root)
    before = {name: (root / name).stat().st_mtime_ns for name in held(root)}
    lines = init(root)
    assert lines[: len(NEW)] == [f"kept {name}" for name in NEW]
    assert {name: (root / name).stat().st_mtime_ns for name in held(root)} == before


@pytest.mark.parametrize("name", NEW[:4])
def test_what_is_there_is_kept(root, name):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"mine \xff")
    lines = init(root)
    assert f"kept {name}" in lines
    assert sum(line.startswith("wrote ") for line in lines) == len(NEW) - 1
    assert (root / name).read_bytes() == b"mine \xff"


def test_a_link_to_nowhere_is_there_too(root):
    (root / "anchors").mkdir()
    (root / "anchors/README.md").symlink_to("nowhere")
    assert "kept anchors/README.md" in init(root)
    assert not (root / "anchors/nowhere").exists()


class TestProduction:
    def test_the_only_pack_is_in_production(self, root):
        init(root)
        production = read_production(root / "packs")
        assert production is not None
        assert (production.pack, production.previous) == ("demo.planck", "")
        assert production.sha256 == hashlib.sha256(DEMO.read_bytes()).hexdigest()

    def test_of_several_packs_one_is_named(self, root):
        (root / "packs/new.planck").symlink_to(DEMO)
        before = held(root)
        message = r"packs: holds demo\.planck, new\.planck\. Name .*: --pack NAME"
        with pytest.raises(UsageError, match=message):
            init(root)
        assert held(root) == before
        assert "wrote packs/production.toml" in init(root, "new")
        production = read_production(root / "packs")
        assert production is not None
        assert production.pack == "new.planck"
        assert "kept packs/production.toml" in init(root)

    def test_without_a_pack_the_next_step_is_to_make_one(self, tmp_path):
        lines = init(tmp_path)
        assert not any("production.toml" in line for line in lines)
        assert lines[-1] == (
            "next: anchorgate pack HF_DIR packs/NAME.planck, and anchorgate init again"
        )

    def test_a_pack_elsewhere_is_refused(self, root):
        with pytest.raises(UsageError, match=rf"^{DEMO}: lies outside {root}/packs\. Move it"):
            init(root, str(DEMO))

    def test_what_is_no_pack_is_refused(self, root):
        (root / "packs/demo.planck").unlink()
        (root / "packs/demo.planck").write_bytes(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"
        )
        with pytest.raises(PackError, match=r"demo\.planck: is a Git LFS pointer .*git lfs pull"):
            init(root)
        with pytest.raises(PackError, match="gone: no such pack"):
            init(root, "gone")
        assert held(root).keys() == {"packs/demo.planck"}


class TestConfiguration:
    def test_the_existing_file_gets_the_lines(self, root):
        (root / "pyproject.toml").write_text("[tool.pytest]\nminversion = '8'\n", encoding="utf-8")
        (root / "tox.ini").write_text("[pytest]\n", encoding="utf-8")
        assert "wrote pyproject.toml" in init(root)
        table = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]
        assert table == {
            "minversion": "8",
            "gate_anchors": ["anchors/mine.jsonl"],
            "gate_paths": ["tests/gate"],
        }
        assert (root / "tox.ini").read_text("utf-8") == "[pytest]\n"
        assert not (root / "pytest.ini").exists()

    def test_anchor_files_that_are_there_are_named(self, root):
        (root / "anchors").mkdir()
        for name in ("b.jsonl", "a.jsonl", "notes.txt"):
            (root / "anchors" / name).write_text(ROW, encoding="utf-8")
        assert init(root)[-1] == "next: pytest -m anchor --gate-certify, and commit what it wrote"
        assert (root / "pytest.ini").read_text("utf-8") == (
            "[pytest]\ngate_anchors =\n    anchors/a.jsonl\n    anchors/b.jsonl\n"
            "gate_paths = tests/gate\n"
        )

    def test_a_name_with_a_line_break_is_refused(self, root):
        (root / "anchors").mkdir()
        (root / "anchors" / "a\nb.jsonl").touch()
        with pytest.raises(UsageError, match=r"anchors: 'a\\nb\.jsonl' is no name for an ini file"):
            init(root)

    def test_a_linked_file_is_edited_where_it_is(self, root, tmp_path_factory):
        real = tmp_path_factory.mktemp("real") / "pytest.ini"
        real.write_text("[pytest]\n", encoding="utf-8")
        (root / "pytest.ini").symlink_to(real)
        assert "wrote pytest.ini" in init(root)
        assert (root / "pytest.ini").is_symlink()
        assert "gate_anchors" in real.read_text("utf-8")

    def test_a_file_that_cannot_be_edited_changes_nothing(self, root):
        (root / "pyproject.toml").write_text("tool.pytest.x = 1\n", encoding="utf-8")
        before = held(root)
        with pytest.raises(UsageError, match=r"pyproject\.toml: has no line \[tool\.pytest\]"):
            init(root)
        assert held(root) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b".anchorgate/\n"),
        (b"x\n", b"x\n.anchorgate/\n"),
        (b"x", b"x\n.anchorgate/\n"),
        (b"x\r\ny", b"x\r\ny\r\n.anchorgate/\r\n"),
        (b"a\n.anchorgate\nb", None),
        (b"/.anchorgate/\r\n", None),
        (b"# .anchorgate/\n", b"# .anchorgate/\n.anchorgate/\n"),
    ],
)
def test_the_store_is_ignored_once(root, before, after):
    (root / ".gitignore").write_bytes(before)
    assert f"{'kept' if after is None else 'wrote'} .gitignore" in init(root)
    assert (root / ".gitignore").read_bytes() == (before if after is None else after)


def test_git_lfs_is_advised_until_it_is_set_up(root):
    line = "packs/*.planck filter=lfs diff=lfs merge=lfs -text"
    assert any(said.startswith("advice: ") and said.endswith(line) for said in init(root))
    (root / ".gitattributes").write_text(f"{line}\n", encoding="utf-8")
    assert not any(said.startswith("advice") for said in init(root))


@pytest.mark.parametrize("name", ["tests", "anchors", ".github/workflows"])
def test_a_file_where_a_directory_must_be_changes_nothing(root, name):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("mine", encoding="utf-8")
    before = held(root)
    with pytest.raises(UsageError, match=rf"{name}: is no directory, and {name}/.* Rename it"):
        init(root)
    assert held(root) == before


def test_the_root_must_be_a_directory(tmp_path):
    with pytest.raises(UsageError, match=r"no: is not a directory\. Give the top"):
        init(tmp_path / "no")


class TestCommand:
    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
        status = cli.main(["init", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    def test_it_works_where_it_is_run(self, root, monkeypatch, capsys):
        monkeypatch.chdir(root)
        status, out, err = self.run(capsys, "--pack", "demo")
        assert (status, err) == (0, "")
        assert out.splitlines()[: len(NEW)] == [f"wrote {name}" for name in NEW]
        assert self.run(capsys, "--root", str(root))[1].startswith("kept ")

    def test_a_mistake_is_one_line(self, tmp_path, capsys):
        status, out, err = self.run(capsys, "--root", str(tmp_path / "no"))
        assert (status, out) == (2, "")
        assert err == f"anchorgate: {tmp_path / 'no'}: is not a directory. " + (
            "Give the top of a repository.\n"
        )


def test_pytest_reads_what_was_written(root):
    init(root)
    row = next(
        line for line in (root / "anchors/README.md").read_text("utf-8").splitlines() if "{" in line
    )
    (root / "anchors/mine.jsonl").write_text(row.strip() + "\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "anchor",
        "--collect-only",
        "-q",
        "--strict-config",
    ]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=root, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "tests/gate/test_gate.py::test_anchor[mine/add]" in run.stdout
    assert "test_mbpp" not in run.stdout


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make the system refuse one name."""

    def refuse(name: str) -> None:
        replace = Path.replace

        def fail(self: Path, target: Path) -> Path:
            if Path(target).name == name:
                raise OSError(28, "No space left on device")
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", fail)

    return refuse


def test_a_disk_that_is_full_leaves_what_was_there(root, unwritable):
    (root / ".gitignore").write_text("mine\n", encoding="utf-8")
    unwritable(".gitignore")
    with pytest.raises(PackError, match=r"\.gitignore: cannot be written: No space left"):
        init(root)
    assert (root / ".gitignore").read_text("utf-8") == "mine\n"
    assert held(root).keys() == {*NEW, "packs/demo.planck"}
