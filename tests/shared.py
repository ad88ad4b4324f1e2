"""What tests share: the public data beside the project, and files made once for all workers."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(
    os.environ.get("ANCHORGATE_DATA", Path(__file__).parent.parent.parent / "shared" / "data")
)


def shared_data() -> Path:
    """Return the folder of public data, or skip the test that needs it."""
    if not DATA.is_dir():
        pytest.skip("no ../shared/data")
    return DATA


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the file ``name`` of this test run: one of xdist's workers makes it, all wait."""
    folder = factory.getbasetemp()
    if folder.name.startswith("popen-"):  # an xdist worker's own; all of them share its parent
        folder = folder.parent
    path = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = folder / f"unfinished-{name}"
            make(made)
            made.rename(path)
    return path


def published_verdicts(path: Path) -> set[str]:
    """Return the ids of the tasks that EvalPlus's result file calls passed on base tests."""
    results = json.loads(path.read_text("utf-8"))["eval"]
    return {
        task_id.replace("Mbpp/", "MBPP/")
        for task_id, (first, *_) in results.items()
        if first["base_status"] == "pass"
    }
