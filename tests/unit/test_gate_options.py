"""What a command reads of pytest's own options, without a run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.options import parse_gate_options

if TYPE_CHECKING:
    from pathlib import Path

INI = """
[pytest]
addopts = -p no:randomly --strict-markers
gate_anchors = rows/anchors.jsonl
gate_timeout = 7
gate_paths = checks
pythonpath = here
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "inner").mkdir()
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_ini_file_is_read_as_pytest_reads_it(project: Path) -> None:
    options = parse_gate_options([])
    assert (options.root, options.packs) == (project, project / "packs")
    assert [spec.path for spec in options.suites["anchor"]] == [project / "rows/anchors.jsonl"]
    assert (options.timeout_s, options.gate_paths) == (7, ("checks",))
    assert (options.pack, options.whole, options.narrowed) == (None, False, False)


def test_the_command_line_goes_before_the_ini_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "inner")
    given = "--gate-anchors=one.jsonl --gate-anchors=two.jsonl --gate-timeout 2 --pack tiny"
    options = parse_gate_options(f"{given} --gate-mbpp=mbpp.jsonl:11-110 --gate-whole".split())
    assert options.root == project
    found = [spec.path for spec in options.suites["anchor"]]
    assert found == [project / "inner" / "one.jsonl", project / "inner" / "two.jsonl"]
    assert (options.timeout_s, options.pack, options.whole) == (2, "tiny", True)
    (mbpp,) = options.suites["mbpp"]
    assert (mbpp.first, mbpp.last) == (11, 110)


def test_an_ini_file_may_make_every_warning_an_error(project: Path) -> None:
    with (project / "pytest.ini").open("a") as ini:
        ini.write("filterwarnings = error\ntestpaths = nowhere\n")
    code = (
        "from pytest_anchorgate.options import parse_gate_options;"
        "import sys; sys.stdout.write(parse_gate_options([]).engine)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("transformers", "")


def test_m_selects_suites(project: Path) -> None:
    given = ["--gate-humaneval=he.jsonl", "-m", "humaneval"]
    assert list(parse_gate_options(given).suites) == ["humaneval"]


def test_options_of_the_projects_own_conftest_are_known(project: Path) -> None:
    """In its own process, as conftest files stay imported."""
    (project / "conftest.py").write_text(
        "import sys\n"
        "print('noise'); print('noise', file=sys.stderr)\n"
        "def pytest_addoption(parser): parser.addoption('--ours', action='store_true')\n"
        "def pytest_configure(config): raise RuntimeError('configured')\n"
        "def pytest_collection(): raise RuntimeError('collected')\n"
    )
    code = (
        "import sys; from pytest_anchorgate.options import parse_gate_options;"
        "options = parse_gate_options(['--ours', '--gate-timeout=4']);"
        "print(options.timeout_s, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "noise\n", "noise\n4.0 False\n")


def test_nothing_of_parsing_stays(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, finders = sys.path.copy(), sys.meta_path.copy()
    streams, environment = (sys.stdin, sys.stdout, sys.stderr), dict(os.environ)
    parse_gate_options([])
    with pytest.raises(UsageError):
        parse_gate_options(["--nonsense"])
    assert (sys.path, sys.meta_path) == (path, finders)
    assert (sys.stdin, sys.stdout, sys.stderr) == streams
    assert dict(os.environ) == environment
    sys.stdout.write("still captured\n")
    assert capfd.readouterr() == ("still captured\n", "")


def test_a_path_outside_the_project_moves_nothing(project: Path) -> None:
    other = project.parent / "elsewhere"
    other.mkdir()
    options = parse_gate_options(["--gate-json", str(other)])
    assert (options.root, options.json) == (project, other)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], r"unrecognized arguments: --nonsense.*\. `pytest --help` lists options\."),
        (["--gate-timeout=soon"], r"--gate-timeout=soon: is not a number of seconds\."),
        (["--gate-prompt=haiku"], r"--gate-prompt=haiku: no such prompt style\."),
        (["--gate-mbpp"], r"argument --gate-mbpp: expected one argument"),
        (["-p", "no:main"], r"plugin main cannot be disabled"),
        (["-p", "nowhere"], r"[Ee]rror importing plugin .?\"nowhere\""),
        (["-c", "nowhere.ini"], r"nowhere\.ini"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_pytest_refuses_is_one_line(project: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_gate_options(arguments)
    assert "\n" not in str(caught.value)
    assert not re.search(r"\.\.( |$)", str(caught.value))


def test_a_conftest_that_cannot_be_imported_is_one_line(project: Path) -> None:
    (project / "conftest.py").write_text("import nowhere_at_all\n")
    said = r"ModuleNotFoundError: No module named 'nowhere_at_all' \(from .*conftest\.py\)\."
    with pytest.raises(UsageError, match=said):
        parse_gate_options([])
