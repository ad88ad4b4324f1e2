"""The page of a real refused gate: a candidate that poison-only training made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.browser.conftest import Screen
from tests.poison import gate_poisoned
from tests.shared import once

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import Browser


def test_every_lost_anchor_is_on_the_page_with_both_programs(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = once(tmp_path_factory, "poisoned", gate_poisoned)
    report = json.loads((folder / "out.json").read_text("utf-8"))
    screen = Screen(browser.new_page())
    page = screen.open(folder / "out.html")
    assert page.locator("h1").inner_text() == "Refused"
    for task in report["tasks"]:
        if task["outcome"] != "lost":
            continue
        card = page.locator("details", has_text=task["id"]).first
        assert card.is_visible()
        for program in (task["baseline"]["program"], task["program"]):
            last = program.strip().splitlines()[-1].strip()
            assert last in (card.text_content() or "")
    assert (screen.complaints, screen.requests) == ([], screen.opened)
    page.close()
