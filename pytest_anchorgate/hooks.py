"""The hooks of a gated session, registered only where a gate is asked for.

`ItemsPlugin` lives in every process: which items are cases, what they ask, how they end.
`ControllerPlugin` lives in one: it gathers records from reports and lets the controller decide.
"""

from __future__ import annotations

import inspect
import json
import os.path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative  # there is no public way
from _pytest.junitxml import xml_key  # nor here: record_testsuite_property is a fixture

from pytest_anchorgate.errors import AnchorgateError, EngineError, UsageError
from pytest_anchorgate.planck import PlainTest, TaskFailed
from pytest_anchorgate.selection import selects, suite_marker
from pytest_anchorgate.tasks.plain import source_digest
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pytest_anchorgate.controller import Controller
    from pytest_anchorgate.planck import Planck
    from pytest_anchorgate.session import Case
    from pytest_anchorgate.tasks.task import Task

PROPERTY = "anchorgate"  # the user property that carries an item's record


def judged(request: pytest.FixtureRequest, planck: Planck, case: Case) -> Task:
    """Return the case's task with its verdict recorded; an error of ours ends the test here."""
    try:
        record = planck.prepare(case)
    except AnchorgateError as error:
        record = planck.broken(case, error)
        _stop_without_model(request.session, error)
    request.node.user_properties.append((PROPERTY, json.dumps(record)))
    if record["status"] == "error" or "fault" in record:
        pytest.fail(f"{case.id}: {record.get('fault', record['reason'])}", pytrace=False)
    if (why := planck.expected_failure(record)) is not None:
        request.applymarker(pytest.mark.xfail(raises=TaskFailed, strict=False, reason=why))
    return case.task


def _stop_without_model(session: pytest.Session, error: BaseException | None) -> None:
    """Run no further item once the model's process is gone."""
    if isinstance(error, EngineError):
        session.shouldstop = str(error)


def _record_of(report: pytest.TestReport | pytest.CollectReport) -> dict[str, Any] | None:
    """Return the record that a report carries, the last one if its item was run again."""
    found = [value for name, value in getattr(report, "user_properties", ()) if name == PROPERTY]
    return json.loads(found[-1]) if found else None


class ItemsPlugin:
    """Every gated process: which items are cases, what they ask the model, how they end."""

    def __init__(self, planck: Planck, config: pytest.Config) -> None:
        self.planck = planck
        self.markexpr: str = config.option.markexpr
        self.collectonly: bool = config.option.collectonly
        self.collected: dict[str, bool] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        self.collected = dict.fromkeys(self._keys(items), False)
        result = yield
        if not self.collectonly and (fragile := self.planck.gate.hints.fragile):
            ranks = {key: rank for rank, key in enumerate(fragile)}
            items.sort(key=lambda item: ranks.get(self._key(item) or "", len(ranks)))
        return result

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
        status = Status.PASSED if report.passed else Status.ERROR if broken else Status.FAILED
        reason = call.excinfo.exconly().partition("\n")[0] if call.excinfo else ""
        record = self.planck.plain(
            _plain_test(item, key), status=status, reason=reason, seconds=call.duration
        )
        report.user_properties.append((PROPERTY, json.dumps(record)))
        _stop_without_model(item.session, error)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        verdict = _record_of(report)
        if report.when == "call" and verdict is not None and verdict["status"] == "error":
            return "error", "E", "ERROR"
        return None


def _tell_shortly(report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    """Let a task's failure be its own text: the test around it is one line that says nothing."""
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
    return case if hasattr(case, "key") and suite_marker(item) else None


def _plain_test(item: pytest.Item, key: str) -> PlainTest:
    """Return an anchor that is a test function: its source decides what it asks."""
    path, line, _ = item.location
    function = inspect.unwrap(item.function) if isinstance(item, pytest.Function) else None
    digest = source_digest(function) if function is not None else ""
    origin = f"{os.path.normpath(path)}:{(line or 0) + 1}"
    return PlainTest(key=key, digest=digest, origin=origin)


class ControllerPlugin:
    """The judging half: starts the run, gathers verdicts from reports, decides at the end."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.interrupted = False

    def pytest_report_header(self) -> str:
        return f"anchorgate: {self.controller.title}"

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        hook = session.config.hook.pytest_anchorgate_surgery
        try:
            self.controller.make(hook)
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
        if (ran or report.failed) and (record := _record_of(report)) is not None:
            self.controller.record(record, report.nodeid)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest and xdist each stop early with a subclass of KeyboardInterrupt of their own
        self.interrupted = excinfo.type is KeyboardInterrupt

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        stopped_early = exitstatus == pytest.ExitCode.INTERRUPTED and not self.interrupted
        self.controller.finish(markexpr=session.config.option.markexpr)
        session.exitstatus = self.controller.exit_status(1 if stopped_early else exitstatus)
        _tell_junit(session.config, self.controller)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("anchorgate")
        for line, colour in self.controller.lines():
            terminalreporter.write_line(line, **({colour: True} if colour else {}))

    def pytest_unconfigure(self) -> None:
        self.controller.close()


def _tell_junit(config: pytest.Config, controller: Controller) -> None:
    """Give the decision to ``--junitxml`` as properties of the suite."""
    xml = config.stash.get(xml_key, None)
    if xml is not None:
        for name, value in controller.properties():
            xml.add_global_property(f"anchorgate_{name}", value)
