"""pytest's hooks and the fixtures: a guard and one call per body.

Everything else is ``session`` (how a case gets its verdict, in every process) and
``controller`` (what a run decides, in one). Both are imported only once a gate is asked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative  # there is no public way

from pytest_anchorgate.errors import AnchorgateError, EngineError, UsageError
from pytest_anchorgate.option_table import SUITE_MARKERS, SUITES
from pytest_anchorgate.options import (  # fmt: skip
    add_options,
    is_gated,
    narrow_collection,
    read_options,
    selects,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from pytest_anchorgate.controller import Controller
    from pytest_anchorgate.planck import Planck
    from pytest_anchorgate.session import Case
    from pytest_anchorgate.tasks.task import Task

planck_key = pytest.StashKey["Planck"]()
PROPERTY = "anchorgate"  # the user property that carries an item's verdict
NOT_GATED = "no gate was asked for: give --pack PACK, or select a suite with -m anchor"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    narrow_collection(early_config, args)


def pytest_configure(config: pytest.Config) -> None:
    for marker, meaning in SUITE_MARKERS.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")
    if config.option.help or config.option.version or not is_gated(config.option):
        return
    try:
        _configure_gate(config)
    except AnchorgateError as error:
        raise pytest.UsageError(str(error)) from None


def _configure_gate(config: pytest.Config) -> None:
    from pytest_anchorgate.planck import Planck
    from pytest_anchorgate.run import Run, open_run
    from pytest_anchorgate.session import GateSession

    options = read_options(config)
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        run = Run.from_json(worker[PROPERTY])
    elif config.option.collectonly:
        run = Run.of_collection()
    else:
        run = open_run(options)
    gate = GateSession(options, run)
    planck = config.stash[planck_key] = Planck(gate)
    if worker is not None:
        config.add_cleanup(gate.close)
    gate.planned()  # a wrong task file is a usage error, before any weight is read
    config.pluginmanager.register(ItemsPlugin(planck, config), "anchorgate-items")
    if worker is None and not config.option.collectonly:
        from pytest_anchorgate.controller import Controller

        controller = Controller(gate)
        config.pluginmanager.register(ControllerPlugin(controller), "anchorgate-controller")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = _suite_marker(metafunc.definition)
    if "task" in metafunc.fixturenames and marker is not None:
        metafunc.parametrize("task", _params(metafunc.config, marker), indirect=True)


def _suite_marker(node: pytest.Item | pytest.Function) -> pytest.Mark | None:
    return next((mark for mark in node.iter_markers() if mark.name in SUITES), None)


def _params(config: pytest.Config, marker: pytest.Mark) -> Sequence[Any]:
    """Return the suite's cases, or one placeholder: the reason to skip."""
    if planck_key not in config.stash:
        return [pytest.param(NOT_GATED, id="skipped")]
    gate = config.stash[planck_key].gate
    if marker.name == "suite" and selects(config.option.markexpr, "suite"):
        try:
            cases = gate.file_cases(*marker.args)
        except AnchorgateError as error:
            raise pytest.Collector.CollectError(str(error)) from None
    else:
        cases = gate.cases(marker.name) if marker.name in gate.options.suites else ()
    if not cases:
        return [pytest.param(f"nothing to judge: no task of {marker.name} is here", id="skipped")]
    return [pytest.param(case, id=case.id) for case in cases]


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Skipping here, and not in the fixture, makes all of them one line of the summary.
    if "planck" in getattr(item, "fixturenames", ()) and planck_key not in item.config.stash:
        pytest.skip(NOT_GATED)


@pytest.fixture(scope="session")
def planck(request: pytest.FixtureRequest) -> Planck:
    """Return the gated pack: ``.complete(prompt)``, ``.verify(task)`` and ``.pack``."""
    return request.config.stash[planck_key]


@pytest.fixture
def task(request: pytest.FixtureRequest, planck: Planck) -> Task:
    """Return one task of the suite that the test's marker names; its verdict is ready."""
    case = getattr(request, "param", None)
    if case is None:
        markers = ", ".join(SUITE_MARKERS)
        pytest.fail(f"the `task` fixture needs a suite marker: one of {markers}.", pytrace=False)
    if isinstance(case, str):
        pytest.skip(case)
    return _judged(request, planck, case)


def _judged(request: pytest.FixtureRequest, planck: Planck, case: Case) -> Task:
    """Return the case's task with its verdict recorded; an error of ours ends the test here."""
    try:
        verdict = planck.prepare(case)
    except AnchorgateError as error:
        verdict = planck.broken(case, error)
        _stop_without_model(request.session, error)
    request.node.user_properties.append((PROPERTY, json.dumps(verdict)))
    if verdict["status"] == "error":
        pytest.fail(f"{case.id}: {verdict['reason']}", pytrace=False)
    return case.task


def _stop_without_model(session: pytest.Session, error: BaseException | None) -> None:
    if isinstance(error, EngineError):
        session.shouldstop = str(error)


class ItemsPlugin:
    """Every gated process: which items are cases, what they ask the model, how they end."""

    def __init__(self, planck: Planck, config: pytest.Config) -> None:
        self.planck = planck
        self.markexpr: str = config.option.markexpr
        self.collectonly: bool = config.option.collectonly
        self.collected: dict[str, bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.collected = dict.fromkeys(self._keys(items), False)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self.collectonly:
            return
        self.collected |= dict.fromkeys(self._keys(session.items), True)
        try:
            self.planck.gate.expect(self.collected.items())
            cases = (_case(item) for item in session.items)
            self.planck.gate.request(case for case in cases if case is not None)
        except AnchorgateError as error:
            pytest.exit(f"anchorgate: {error}", returncode=10)

    def _keys(self, items: Iterable[pytest.Item]) -> list[str]:
        return [key for item in items if (key := self._key(item)) is not None]

    def _key(self, item: pytest.Item) -> str | None:
        """Return the case key of an item of a selected suite; a plain anchor's is its node id."""
        case = _case(item)
        if case is not None:
            return str(case.key)
        plain = not hasattr(item, "callspec") or "task" not in item.callspec.params
        if plain and item.get_closest_marker("anchor") and selects(self.markexpr, "anchor"):
            return f"anchor:{item.nodeid}"
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        _tell_shortly(report, call)
        if _case(item) is None and (key := self._key(item)) is not None:
            self._record_plain(item, key, call, report)
        return report

    def _record_plain(
        self, item: pytest.Item, key: str, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> None:
        """Record the verdict of an anchor that is a plain test: how the test itself ended."""
        error = call.excinfo.value if call.excinfo else None
        ended = report.when == "call" or report.outcome == "failed"
        if not ended or (report.skipped and not hasattr(report, "wasxfail")):
            return
        broken = report.when != "call" or isinstance(error, AnchorgateError)
        status = "passed" if report.passed else "error" if broken else "failed"
        reason = call.excinfo.exconly().partition("\n")[0] if call.excinfo else ""
        verdict = self.planck.plain(key, status=status, reason=reason, seconds=call.duration)
        report.user_properties.append((PROPERTY, json.dumps(verdict)))
        _stop_without_model(item.session, error)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        verdict = _verdict(report)
        if report.when == "call" and verdict is not None and verdict["status"] == "error":
            return "error", "E", "ERROR"
        return None


def _tell_shortly(report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """Let a task's failure be its own text: the test around it is one line that says nothing."""
    from pytest_anchorgate.planck import TaskFailed

    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, TaskFailed) and isinstance(report.longrepr, ExceptionChainRepr):
        report.longrepr.reprtraceback.reprentries = [ReprEntryNative([error.text, "\n"])]
        report.longrepr.reprtraceback.extraline = None
        if report.longrepr.reprcrash is not None:
            report.longrepr.reprcrash.message = error.text.partition("\n")[0]


def _case(item: pytest.Item) -> Any:
    """Return the item's case, or None for an item that is no task of a suite."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("task") if callspec is not None else None
    return case if hasattr(case, "key") and _suite_marker(item) else None


def _verdict(report: pytest.TestReport | pytest.CollectReport) -> dict[str, Any] | None:
    found = [value for name, value in getattr(report, "user_properties", ()) if name == PROPERTY]
    return json.loads(found[-1]) if found else None


class ControllerPlugin:
    """The judging half: starts the run, gathers verdicts from reports, decides at the end."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.interrupted = False

    def pytest_report_header(self) -> str:
        return f"anchorgate: {self.controller.title}"

    def pytest_sessionstart(self) -> None:
        try:
            fault = self.controller.start()
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        except AnchorgateError as error:
            fault = str(error)
        if fault is not None:
            self.controller.finish(fault)
            pytest.exit(f"anchorgate: {fault}", returncode=10)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        # xdist's workers see nothing else of what the controller computed.
        node.workerinput[PROPERTY] = self.controller.gate.run.to_json()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ran = report.when == "call" and (not report.skipped or hasattr(report, "wasxfail"))
        if (ran or report.failed) and (verdict := _verdict(report)) is not None:
            self.controller.record(verdict)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest and xdist each stop early with a subclass of KeyboardInterrupt of their own
        self.interrupted = excinfo.type is KeyboardInterrupt

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        stopped_early = exitstatus == pytest.ExitCode.INTERRUPTED and not self.interrupted
        session.exitstatus = self.controller.exit_status(1 if stopped_early else exitstatus)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("anchorgate")
        for line, colour in self.controller.lines():
            terminalreporter.write_line(line, **({colour: True} if colour else {}))

    def pytest_unconfigure(self) -> None:
        self.controller.close()
