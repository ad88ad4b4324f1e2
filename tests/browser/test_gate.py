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

CARDS = "cards => cards.map(card => [card.textContent, card.checkVisibility()])"


def test_every_lost_anchor_is_on_the_page_with_both_programs(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = once(tmp_path_factory, "poisoned", gate_poisoned)
    report = json.loads((folder / "out.json").read_text("utf-8"))
    screen = Screen(browser.new_page())
    page = screen.open(folder / "out.html")
    assert page.locator("h1").inner_text() == "Refused"
    cards = page.locator("details").evaluate_all(CARDS)
    for task in report["tasks"]:
        if task["outcome"] != "lost":
            continue
        text, visible = next(card for card in cards if task["id"] in card[0])
        assert visible
        for program in (task["baseline"]["program"], task["program"]):
            assert program.strip().splitlines()[-1].strip() in text
    assert (screen.complaints, screen.requests) == ([], screen.opened)
    page.close()
