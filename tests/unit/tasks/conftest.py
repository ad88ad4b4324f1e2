from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.tasks.suites import SuiteSpec
from tests.shared import shared_data

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def data() -> Path:
    """The public data sets beside the project; tests that need them skip without."""
    return shared_data()


@pytest.fixture(scope="session")
def mbpp(data: Path) -> SuiteSpec:
    return SuiteSpec(path=data / "mbpp" / "mbpp.jsonl")


@pytest.fixture(scope="session")
def mbpp_plus(data: Path) -> SuiteSpec:
    return SuiteSpec(path=data / "mbpp" / "MbppPlus-v0.1.0.jsonl")


@pytest.fixture(scope="session")
def humaneval(data: Path) -> SuiteSpec:
    return SuiteSpec(path=data / "humaneval" / "HumanEval.jsonl.gz")
