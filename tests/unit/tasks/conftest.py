from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_anchorgate.tasks.suites import SuiteSpec

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def data() -> Path:
    """The public data sets beside the project; tests that need them skip without."""
    folder = Path(os.environ.get("ANCHORGATE_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no ../shared/data")
    return folder


@pytest.fixture(scope="session")
def mbpp(data: Path) -> SuiteSpec:
    return SuiteSpec(path=data / "mbpp" / "mbpp.jsonl")


@pytest.fixture(scope="session")
def mbpp_plus(data: Path) -> SuiteSpec:
    return SuiteSpec(path=data / "mbpp" / "MbppPlus-v0.1.0.jsonl")


@pytest.fixture(scope="session")
def humaneval(data: Path) -> SuiteSpec:
    return SuiteSpec(path=data / "humaneval" / "HumanEval.jsonl.gz")
