"""One world and one sandbox of each tier for all the programs."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.sandbox.run import Sandbox
from tests.hostile.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    made = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANCHORGATE_SECRET", made.secret)
        patch.setenv("HOME", str(made.home))  # before any zygote could inherit them
        yield made
    made.close()


class Sandboxes:
    """One started sandbox of each tier; another in its place once a test has failed with it."""

    def __init__(self) -> None:
        self.started: dict[str, Sandbox] = {}

    @contextlib.contextmanager
    def of(self, tier: str) -> Iterator[Sandbox]:
        sandbox = self.started.setdefault(tier, Sandbox(tier))
        try:
            yield sandbox
        except BaseException:
            self.started.pop(tier).close()
            raise


@pytest.fixture(scope="session")
def sandboxes(world: World) -> Iterator[Sandboxes]:
    made = Sandboxes()
    yield made
    for sandbox in made.started.values():
        sandbox.close()


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A descriptor to lock: programs of one user, in several workers, share its process limit."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    lock = os.open(shared / "crowd", os.O_CREAT | os.O_RDWR)
    yield lock
    os.close(lock)
