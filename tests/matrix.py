"""The gate's exit status beside other plugins: every case under every combination of them.

    python -m tests.matrix    # in an environment with the package, pytester and every plugin below

`.ci/matrix` makes such environments, one per pytest. A scripted engine answers, so torch is not
needed. Not collected by a plain `pytest`: it takes minutes.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TextIO

    from tests.plugin.conftest import GateProject

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin of others: how a run turns it on, and what a run says in which an anchor is lost."""

    name: str
    on: tuple[str, ...]
    says: str
    parts: tuple[str, ...]  # the names under which pytest registers it

    @property
    def off(self) -> list[str]:
        """The arguments without which it would be loaded."""
        return [argument for part in self.parts for argument in ("-p", f"no:{part}")]


@dataclass(frozen=True, slots=True)
class Combination:
    """The plugins that are loaded together, and the workers of a run: 0 for none."""

    plugins: tuple[Plugin, ...]
    workers: int = 0

    def __str__(self) -> str:
        names = "all" if self.plugins == PLUGINS else "+".join(p.name for p in self.plugins)
        return (names or "none") + (f" -n {self.workers}" if self.workers else "")

    @property
    def arguments(self) -> list[str]:
        """What a command line says of plugins and workers."""
        arguments = [f"-n{self.workers}"] if self.workers else []
        for plugin in PLUGINS:
            arguments += plugin.on if plugin in self.plugins else plugin.off
        return arguments


@dataclass(frozen=True, slots=True)
class Case:
    """What the model answers, how the gate is asked, and what must come of it."""

    name: str
    exit_status: int
    decision: str
    tasks: range  # how many verdicts the report may hold
    failed: tuple[str, ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


XDIST = Plugin("xdist", (), "", ("xdist", "xdist.looponfail"))
OTHERS = (
    Plugin("randomly", ("-p", "randomly", "--randomly-seed=7"), "randomly-seed=7", ("randomly",)),
    Plugin("rerunfailures", ("--reruns", "1"), "1 failed, 3 passed.* 1 rerun", ("rerunfailures",)),
    Plugin(
        "html",
        ("--html=x.html", "--self-contained-html"),
        "Generated html report",
        ("html", "html_fixtures", "metadata"),
    ),
    Plugin("cov", ("--cov",), "TOTAL", ("pytest_cov",)),
)
PLUGINS = (XDIST, *OTHERS)
SETS: tuple[tuple[Plugin, ...], ...] = ((), *((plugin,) for plugin in PLUGINS), PLUGINS)
COMBINATIONS = (
    *(Combination(plugins) for plugins in SETS),
    Combination((XDIST,), workers=2),
    *(Combination((XDIST, plugin), workers=2) for plugin in OTHERS),
    Combination(PLUGINS, workers=2),
)
ALL, SOME, ONE = range(4, 5), range(5), range(1, 2)
NARROWED = ("-k", "seven")
CASES = (
    Case("accepted", 0, "accepted", ALL),
    Case("lost", 1, "refused", ALL, ("own/seven",), answers=(("seven", "    return n + 6\n"),)),
    Case("died", 10, "invalid", SOME, answers=(("two", "<die>"),)),
    Case("narrowed", 0, "partial", ONE, arguments=NARROWED),
    Case("whole", 10, "invalid", ONE, arguments=(*NARROWED, "--gate-whole")),
)


@pytest.fixture(scope="session")
def tiny_pack() -> Path:
    """Any pack: the scripted engine reads its tokenizer only, and to write one takes torch."""
    return ROOT / "packs" / "demo-v1.planck"


@pytest.mark.parametrize(
    ("combination", "case"), list(itertools.product(COMBINATIONS, CASES)), ids=str
)
def test_exit_status(
    project: GateProject,
    combination: Combination,
    case: Case,
    record_property: Callable[[str, object], None],
) -> None:
    for name, completion in case.answers:
        project.answer(name, completion)
    result, report = project.gate(*combination.arguments, *case.arguments)
    record_property("exit_status", int(result.ret))
    assert (result.ret, report["decision"]) == (case.exit_status, case.decision)
    judged = [task["id"] for task in report["tasks"]]
    assert len(judged) in case.tasks
    assert len(set(judged)) == len(judged), f"judged twice: {judged}"
    failed = [task["id"] for task in report["tasks"] if task["status"] == "failed"]
    assert failed == list(case.failed)

    output = result.stdout.str()
    (header,) = re.findall("^plugins: (.*)", output, re.MULTILINE)
    names = set(re.findall(r"([a-z]+)-\d", header))
    loaded = {plugin.name for plugin in PLUGINS if plugin.name in names}
    assert loaded == {plugin.name for plugin in combination.plugins}
    if case.name == "lost":
        said = [plugin.says for plugin in combination.plugins]
        said += [f"{combination.workers} workers"] if combination.workers else []
        assert [words for words in said if not re.search(words, output)] == []


class Table:
    """Prints a combination's exit statuses once all of its cases ran, and what went wrong."""

    def __init__(self) -> None:
        self._begin()
        cases = "".join(f"{case.name:>10}" for case in CASES)
        self._print(f"{'pytest':<8}{'plugins':<24}{cases}")

    def _begin(self) -> None:
        self.statuses: list[str] = []
        self.right = True
        self.began = time.monotonic()

    def pytest_report_teststatus(self) -> tuple[str, str, str]:
        return "", "", ""  # pytest's own progress says nothing

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._print(report.longreprtext, sys.stderr)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Function
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self.right &= not report.failed
        if report.failed:
            outputs = "\n".join(output for _, output in report.sections)
            self._print(f"{item.name}: {report.longreprtext}\n{outputs}", sys.stderr)
        if report.when == "teardown":
            self.statuses.append(str(dict(report.user_properties).get("exit_status", "none")))
        if len(self.statuses) == len(CASES):
            self._end(item.callspec.params["combination"])
        return report

    def _end(self, combination: object) -> None:
        statuses = "".join(f"{status:>10}" for status in self.statuses)
        judged = f"{'right' if self.right else 'WRONG'} {time.monotonic() - self.began:8.1f} s"
        self._print(f"{pytest.__version__:<8}{combination!s:<24}{statuses}  {judged}")
        self._begin()

    def _print(self, line: str, file: TextIO = sys.stdout) -> None:
        print(line, file=file, flush=True)


def main() -> int:
    """Run every case under every combination with the pytest of this environment."""
    quiet = ["-qq", "--no-header", "--no-summary", "-p", "no:cacheprovider"]
    off = [argument for plugin in PLUGINS for argument in plugin.off]
    return pytest.main([__file__, *quiet, *off, "-p", "tests.plugin.conftest"], [Table()])


if __name__ == "__main__":
    sys.exit(main())
