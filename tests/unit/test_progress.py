from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate import progress as module
from pytest_anchorgate.progress import Progress

if TYPE_CHECKING:
    import pytest


def test_progress_is_told_after_two_seconds_and_then_every_five(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    progress = Progress(said.append)
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    for now in (100.0, 101.0, 102.5, 104.0, 107.0, 108.0):
        progress(int(now - 100), 20)
    assert said == [
        "anchorgate: 2 of 20 completions, 2 s",
        "anchorgate: 8 of 20 completions, 8 s",
    ]


def test_short_generation_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    progress = Progress(said.append)
    for answered in range(21):
        progress(answered, 20)
    assert said == []
