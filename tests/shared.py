"""The public data beside the project: used by path, never copied."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

DATA = Path(
    os.environ.get("ANCHORGATE_DATA", Path(__file__).parent.parent.parent / "shared" / "data")
)


def shared_data() -> Path:
    """Return the folder of public data, or skip the test that needs it."""
    if not DATA.is_dir():
        pytest.skip("no ../shared/data")
    return DATA


def published_verdicts(path: Path) -> set[str]:
    """Return the ids of the tasks that EvalPlus's result file calls passed on base tests."""
    results = json.loads(path.read_text("utf-8"))["eval"]
    return {
        task_id.replace("Mbpp/", "MBPP/")
        for task_id, (first, *_) in results.items()
        if first["base_status"] == "pass"
    }
