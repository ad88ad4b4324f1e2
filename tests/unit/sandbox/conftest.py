from __future__ import annotations

import functools

import pytest

from pytest_anchorgate.sandbox.limits import Limits
from pytest_anchorgate.sandbox.process import Refused, Zygote
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.sandbox.tiers import TIERS


@functools.cache
def tiers_here() -> tuple[str, ...]:
    """Return the tiers that start on this machine."""
    return tuple(tier for tier in TIERS if starts(tier))


def starts(tier):
    try:
        Zygote(tier).stop()
    except Refused:
        return False
    return True


def pytest_generate_tests(metafunc):
    if "tier" in metafunc.fixturenames:
        metafunc.parametrize("tier", tiers_here(), scope="session")


@pytest.fixture(scope="session")
def sandbox(tier):
    """Return a running sandbox of each tier, which tests share."""
    with Sandbox(tier) as shared:
        assert shared.tier == tier
        yield shared


@pytest.fixture(scope="session")
def strongest():
    """Return a sandbox of the strongest tier, for questions that no tier answers by itself."""
    with Sandbox(tiers_here()[0]) as shared:
        yield shared


@pytest.fixture
def run(sandbox):
    return functools.partial(run_in, sandbox)


@pytest.fixture
def run_strongest(strongest):
    return functools.partial(run_in, strongest)


def run_in(sandbox, program, *tests, limits=Limits(cpu_s=0.5), **given):  # noqa: B008 - frozen
    return sandbox.run(program, tests, limits=limits, **given)
