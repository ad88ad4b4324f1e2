from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.ini import find_ini, render_ini, setting, with_settings

SETTINGS = {"gate_anchors": ["anchors/mine.jsonl"], "gate_paths": ["tests/gate"]}
INI = "gate_anchors = anchors/mine.jsonl\ngate_paths = tests/gate\n"
TOML = 'gate_anchors = ["anchors/mine.jsonl"]\ngate_paths = ["tests/gate"]\n'
HEADS = {
    "pytest.toml": "[pytest]",
    "pytest.ini": "[pytest]",
    "pyproject.toml": "[tool.pytest.ini_options]",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
INI_NAMES = sorted(name for name in HEADS if not name.endswith(".toml"))
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9).filter(
    lambda line: not line.startswith("[") and not line.startswith("gate_")
)
LINES = st.lists(LINE, max_size=4)


def edited(name: str, text: str, settings: dict[str, list[str]] | None = None) -> str:
    return with_settings(Path(name), text.encode(), settings or SETTINGS).decode()


class TestReading:
    """A setting is read as pytest reads it."""

    @pytest.mark.parametrize("name", sorted(HEADS))
    def test_what_was_put_in_is_read_back(self, name: str) -> None:
        path = Path(name)
        content = with_settings(path, f"{HEADS[name]}\n".encode(), SETTINGS)
        assert setting(path, content, "gate_anchors") == ("anchors/mine.jsonl",)
        assert setting(path, content, "gate_mbpp") is None

    def test_lines_of_an_ini_file_and_of_a_text_in_toml_are_values(self) -> None:
        ini = b"[pytest]\ngate_anchors =\n    a.jsonl\n    b.jsonl\n"
        toml = b'[tool.pytest.ini_options]\ngate_anchors = """a.jsonl\nb.jsonl"""\n'
        for name, content in (("pytest.ini", ini), ("pyproject.toml", toml)):
            assert setting(Path(name), content, "gate_anchors") == ("a.jsonl", "b.jsonl")

    def test_a_file_without_the_section_has_no_settings(self) -> None:
        assert setting(Path("tox.ini"), b"[tox]\n", "gate_anchors") is None

    def test_a_file_that_is_no_ini_file_is_named(self) -> None:
        with pytest.raises(UsageError, match=r"tox\.ini:2: .*pytest cannot read it either"):
            setting(Path("tox.ini"), b"[pytest]\n  = x\n", "gate_anchors")


class TestFinding:
    def find(self, root: Path, **files: str) -> str | None:
        for name, text in files.items():
            (root / name.replace("_", ".")).write_text(text, encoding="utf-8")
        path = find_ini(root)
        return None if path is None else path.name

    def test_a_repository_may_have_none(self, tmp_path):
        assert self.find(tmp_path) is None
        assert self.find(tmp_path, tox_ini="[tox]\n", setup_cfg="[x]\n") is None
        assert self.find(tmp_path, pyproject_toml="[tool.ruff]\n[tool.pytest]\n") is None

    def test_pytests_own_files_count_even_when_empty(self, tmp_path):
        assert self.find(tmp_path, tox_ini="[pytest]\n", pytest_ini="") == "pytest.ini"
        assert self.find(tmp_path, pytest_toml="") == "pytest.toml"

    def test_the_first_with_a_section_counts(self, tmp_path):
        assert self.find(tmp_path, setup_cfg="[tool:pytest]\n") == "setup.cfg"
        assert self.find(tmp_path, tox_ini="[pytest] ; ours\n") == "tox.ini"
        assert self.find(tmp_path, pyproject_toml="[tool.pytest]\nx = 1\n") == "pyproject.toml"
        assert self.find(tmp_path, pyproject_toml="[tool.pytest.ini_options]\n") == "pyproject.toml"

    def test_what_cannot_be_read_is_named(self, tmp_path):
        (tmp_path / "pyproject.toml").write_text("[tool\n", encoding="utf-8")
        with pytest.raises(UsageError, match=r"pyproject\.toml: .*line 1.*mend it"):
            find_ini(tmp_path)
        (tmp_path / "pyproject.toml").write_bytes(b"# \xff")
        with pytest.raises(UsageError, match=r"pyproject\.toml: byte 2 is not UTF-8"):
            find_ini(tmp_path)


class TestWriting:
    @pytest.mark.parametrize("name", HEADS)
    def test_settings_stand_below_the_header(self, name):
        head, lines = HEADS[name], TOML if name.endswith(".toml") else INI
        above, below = "# said first\n[other]\n", '# own\naddopts = "-q"\n\n[last]\n'
        assert (
            edited(name, f"{above}{head} # ours\n{below}")
            == f"{above}{head} # ours\n{lines}{below}"
        )

    @pytest.mark.parametrize("name", HEADS)
    def test_what_has_gate_anchors_is_left_alone(self, name):
        value = '["x"]' if name.endswith(".toml") else "x"
        text = f"{HEADS[name]}\na = {value}\ngate_anchors = {value}\n[last]\n"
        assert edited(name, text) == text
        assert edited(name, edited(name, f"{HEADS[name]}\n")) == edited(name, f"{HEADS[name]}\n")

    @pytest.mark.parametrize("name", HEADS)
    def test_what_has_gate_paths_gets_the_other_alone(self, name):
        toml = name.endswith(".toml")
        text = f"{HEADS[name]}\ngate_paths={'[]' if toml else 'tests'}\n"
        (line, _) = (TOML if toml else INI).splitlines(keepends=True)
        assert edited(name, text) == text.replace("\n", f"\n{line}", 1)

    @pytest.mark.parametrize("name", HEADS)
    @pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
    def test_line_ends_are_the_files(self, name, newline):
        lines = (TOML if name.endswith(".toml") else INI).replace("\n", newline)
        text = f"# first{newline}{HEADS[name]}{newline}"
        assert edited(name, text) == text + lines
        assert edited(name, text.rstrip()) == text + lines

    def test_a_file_of_pytests_own_without_a_section_gets_one(self):
        assert edited("pytest.ini", "") == f"[pytest]\n{INI}" == render_ini(SETTINGS).decode()
        assert edited(".pytest.ini", "# mine") == f"# mine\n\n[pytest]\n{INI}"
        assert edited("pytest.toml", "x = {}\r\n").startswith("x = {}\r\n\r\n[pytest]\r\ngate_")

    def test_several_files_are_one_per_line(self):
        settings = {"gate_anchors": ["anchors/a b.jsonl", "anchors/ü.jsonl"]}
        assert (
            edited("tox.ini", "[pytest]\n", settings)
            == "[pytest]\ngate_anchors =\n    anchors/a b.jsonl\n    anchors/ü.jsonl\n"
        )
        line = edited("pytest.toml", "[pytest]\n", settings).splitlines()[1]
        assert tomllib.loads(line) == settings

    def test_a_key_of_another_section_is_no_setting(self):
        text = "[other]\ngate_anchors = x\n[pytest]\n[last]\ngate_anchors = y\n"
        assert edited("tox.ini", text) == text.replace("[pytest]\n", f"[pytest]\n{INI}")

    @pytest.mark.parametrize("head", ["[tool.pytest]", ' [ tool . "pytest" ] ', "[tool.'pytest']"])
    def test_a_native_table_may_be_spelled_in_any_way(self, head):
        above = f"x = '''\n[tool.pytest]\n'''\n{head}\n"
        below = "minversion = '9'\n[tool.pytest.x]\n"
        assert edited("pyproject.toml", above + below) == above + TOML + below

    @pytest.mark.parametrize(
        ("text", "section"),
        [
            ("tool.pytest.ini_options.addopts = '-q'\n", "tool.pytest.ini_options"),
            ("[tool]\npytest = {minversion = '9'}\n", "tool.pytest"),
            ("[tool.pytest]\nini_options.addopts = '-q'\n", "tool.pytest.ini_options"),
        ],
    )
    def test_a_table_without_a_header_is_left_to_the_user(self, text, section):
        with pytest.raises(UsageError, match=rf"no line \[{section}\].*Add .*: gate_anchors = \["):
            edited("pyproject.toml", text)

    @pytest.mark.parametrize("name", INI_NAMES)
    @given(above=LINES, below=LINES, newline=st.sampled_from(["\n", "\r\n"]))
    def test_the_rest_of_a_file_stays_byte_for_byte(self, name, above, below, newline):
        head = newline.join([*above, HEADS[name]]) + newline
        rest = newline.join(below)
        lines = INI.replace("\n", newline)
        assert edited(name, head + rest) == head + lines + rest
        assert edited(name, head + lines + rest) == head + lines + rest

    @pytest.mark.parametrize("head", ["[tool.pytest]", "[tool.pytest.ini_options]"])
    @given(
        st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=5)),
        st.sampled_from(["", "# [tool.pytest]\n", "x = '''\n[tool.pytest]\n[tool.ruff]'''\n"]),
    )
    def test_toml_says_what_it_said_and_the_settings(self, head, values, above):
        rows = [f"{key} = {tomllib_string(text)}" for key, text in {"a": "b", **values}.items()]
        text = "\n".join([f"{above}{head}", *rows, "[last]", ""])
        new = edited("pyproject.toml", text)
        table = tomllib.loads(new)["tool"]["pytest"]
        table = table.get("ini_options", table)
        assert {key: table.pop(key) for key in SETTINGS} == SETTINGS
        assert table == {"a": "b", **values}
        assert new.replace(TOML, "") == text


def tomllib_string(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08X}" for character in text) + '"'
