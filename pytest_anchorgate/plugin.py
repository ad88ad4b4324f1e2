"""pytest's hooks and the fixtures: a guard and one call per body.

Everything else is ``session`` (how a case gets its verdict, in every process) and
``controller`` (what a run decides, in one). Both are imported only once a gate is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.errors import AnchorgateError
from pytest_anchorgate.option_table import SUITE_MARKERS
from pytest_anchorgate.options import add_options, narrow_collection, read_options
from pytest_anchorgate.selection import is_gated, selects, suite_marker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.operation import Operation
    from pytest_anchorgate.planck import Planck
    from pytest_anchorgate.session import GateSession
    from pytest_anchorgate.tasks.task import Task

planck_key = pytest.StashKey["Planck"]()
NOT_GATED = "no gate was asked for: give --pack PACK, or select a suite with -m anchor"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_anchorgate import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


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
    from pytest_anchorgate.hooks import PROPERTY, ControllerPlugin, ItemsPlugin
    from pytest_anchorgate.planck import Planck
    from pytest_anchorgate.run import Run, open_run
    from pytest_anchorgate.session import GateSession

    options = read_options(config)
    if config.option.gate_fail_fast and not config.option.maxfail:
        config.option.maxfail = 1  # as -x does, before xdist reads it
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        run = Run.from_json(worker[PROPERTY])
    elif config.option.collectonly or options.surgery:  # which makes the pack that is gated
        run = Run.unopened()
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

        controller = Controller(gate, _operation(gate))
        config.pluginmanager.register(ControllerPlugin(controller), "anchorgate-controller")


def _operation(gate: GateSession) -> Operation | None:
    """Return what the session makes before it gates, its inputs read; nothing is made yet."""
    if gate.options.surgery is None:
        return None
    from pytest_anchorgate.operation import Operation

    operation = Operation(gate.options)
    operation.prepare(gate)
    return operation


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = suite_marker(metafunc.definition)
    if "task" in metafunc.fixturenames and marker is not None:
        metafunc.parametrize("task", _params(metafunc.config, marker), indirect=True)


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
    from pytest_anchorgate.hooks import judged

    return judged(request, planck, case)
