"""No hostile program passes, escapes or leaves anything behind; every honest one passes."""

from __future__ import annotations

import dataclasses
import fcntl
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.outcome import Kind, Outcome
from tests.hostile.cases import (
    FAMILIES,
    HERE,
    TIERS,
    WALLED,
    Case,
    header,
    read_cases,
    starting_tiers,
)
from tests.hostile.world import descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_anchorgate.sandbox.run import Sandbox
    from tests.hostile.conftest import Sandboxes
    from tests.hostile.world import World

CASES = read_cases()
PATIENCE_S = 3.0  # for the zygote to have forked its next two processes
# The zygote, its two servers (in namespaces each behind one that waits), and what these forked
# ahead.
KEPT = {"namespaces": 7, "landlock": 5, "rlimits": 5}
FRESH: dict[Sandbox, str] = {}  # what the canary saw in each sandbox before any program ran there
# Passes, and prints what an earlier program could have changed for it.
CANARY = """
import gc, os, resource, signal, sys, threading
print(
    sorted(os.listdir(".")), os.getcwd(), oct(os.stat(".").st_mode), os.getuid(), os.getgid(),
    os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0),
    [resource.getrlimit(k) for k in range(16)], sorted(os.environ.items()), os.umask(0),
    [signal.getsignal(k) for k in range(1, 32)], signal.pthread_sigmask(signal.SIG_BLOCK, []),
    threading.active_count(), sys.getrecursionlimit(), sys.path, len(sys.meta_path), __name__,
    [os.readlink(p) for p in ("/bin", "/lib") if os.path.islink(p)], gc.isenabled(),
)
def f(x):
    with open("mine", "x") as file:
        file.write("x")
    os.unlink("mine")
    return x * x
"""


def walls(case: Case) -> tuple[str, ...]:
    """Return the tiers that a case is meant for."""
    fit = TIERS if case.family in ("forging", "honest") else WALLED
    return tuple(tier for tier in fit if tier in case.tiers)


def parameters() -> Iterator[Any]:
    starting = starting_tiers()
    for case in CASES:
        for tier in walls(case):
            if tier in starting:
                yield pytest.param(case, tier, id=f"{case.family}-{case.name}-{tier}")


@pytest.mark.parametrize(("case", "tier"), list(parameters()))
def test_program(case: Case, tier: str, sandboxes: Sandboxes, world: World, crowd: int) -> None:
    if "numpy" in case.program and not case.hostile:
        pytest.importorskip("numpy")
    with sandboxes.of(tier) as sandbox:
        fresh = FRESH.get(sandbox) or FRESH.setdefault(sandbox, canary(sandbox))
        fcntl.flock(crowd, fcntl.LOCK_EX if case.alone and tier != TIERS[0] else fcntl.LOCK_SH)
        try:
            world.callers()  # what an earlier one left there is not this one's doing
            before, held, zygote = world.seen(), world.descriptors(), sandbox._zygote
            outcomes = [run(sandbox, case, world) for _ in range(case.runs)]
            time.sleep(case.settle_s)
        finally:
            fcntl.flock(crowd, fcntl.LOCK_UN)
        for outcome in outcomes:
            assert outcome.kind in case.allowed(tier), outcome
            assert case.reason in outcome.reason, outcome
        assert sandbox._zygote is zygote, "the zygote had to be started again"
        assert world.callers() == []
        assert eventually(lambda: processes(sandbox), KEPT[tier]) == KEPT[tier]
        assert canary(sandbox) == fresh
        assert eventually(world.strays, []) == []
        assert eventually(world.seen, before) == before
        # Fewer is no fault of the program's: an earlier test's garbage may be collected meanwhile.
        assert eventually(lambda: world.descriptors() - held, set()) == set()


def run(sandbox: Sandbox, case: Case, world: World) -> Outcome:
    told = world.told()
    tests = [re.sub(r"\$(\w+)", lambda found: repr(told[found[1]]), test) for test in case.tests]
    return sandbox.run(
        case.program,
        tests,
        prompt=case.prompt,
        setup=case.setup,
        entry_point=case.entry_point,
        together=case.together,
        limits=case.stated_limits(),
    )


def canary(sandbox: Sandbox) -> str:
    """Return what an honest program sees of its surroundings, once it has passed."""
    tests = ("assert f(2) == 4", "assert f(3) == 9")
    outcome = sandbox.run(CANARY, tests, entry_point="f", limits=Limits(cpu_s=1.0))
    assert outcome.kind is Kind.PASSED, f"an honest program: {outcome}"
    return outcome.stdout_tail


def processes(sandbox: Sandbox) -> int:
    """Return how many processes a sandbox has."""
    assert sandbox._zygote is not None
    return 1 + descendants(sandbox._zygote._process.pid)


def eventually(ask: Callable[[], Any], expected: Any) -> Any:
    """Return the answer as soon as it is the expected one, or the last when time is up."""
    deadline = time.monotonic() + PATIENCE_S
    while (answer := ask()) != expected and time.monotonic() < deadline:
        time.sleep(0.002)
    return answer


def test_there_are_enough_programs_of_every_family() -> None:
    count = {family: sum(case.family == family for case in CASES) for family in FAMILIES}
    assert all(count.values()), count
    assert sum(case.hostile for case in CASES) >= 80
    assert count["honest"] >= 30


def test_every_header_says_what_can_be_meant() -> None:
    for case in CASES:
        said = header(HERE / case.family / f"{case.name}.py")
        allowed = {kind for tier in TIERS for kind in case.allowed(tier)}
        where = f"{case.family}/{case.name}"
        assert said.keys() <= {field.name for field in dataclasses.fields(Case)}, where
        assert case.verdicts.keys() | set(case.tiers) <= set(TIERS), where
        assert bool(case.why) == (set(case.tiers) < set(TIERS)), where
        assert Kind.ERROR not in allowed, where
        assert allowed == {Kind.PASSED} or (case.hostile and Kind.PASSED not in allowed), where
        case.stated_limits()
