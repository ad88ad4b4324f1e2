"""The gate of this repository: every task of the selected suites is one test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_anchorgate.planck import Planck
    from pytest_anchorgate.tasks.task import Task


@pytest.mark.anchor
def test_anchor(planck: Planck, task: Task) -> None:
    planck.verify(task)


@pytest.mark.mbpp
def test_mbpp(planck: Planck, task: Task) -> None:
    planck.verify(task)


@pytest.mark.humaneval
def test_humaneval(planck: Planck, task: Task) -> None:
    planck.verify(task)
