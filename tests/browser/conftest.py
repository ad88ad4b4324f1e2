"""One Chromium for a module, and pages that may neither complain nor ask for anything."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.report.html import render_html
from tests import reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Request

    Open = Callable[..., Page]

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    debian = "/usr/bin/chromium"
    return debian if Path(debian).exists() else next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


class Screen:
    """One page that opens reports, and all that its browser complained of and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.opened: list[str] = []
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.on("request", self.note)

    def note(self, request: Request) -> None:
        if not request.url.startswith("data:"):  # the icon, which is in the page
            self.requests.append(request.url)

    def open(self, path: Path) -> Page:
        self.opened.append(path.as_uri())
        self.page.goto(path.as_uri())
        return self.page


@pytest.fixture(scope="module")
def screens(browser: Browser) -> Callable[[bool], Screen]:
    """Give a function that returns the one screen with or without JavaScript."""
    return cache(lambda scripted: Screen(browser.new_page(java_script_enabled=scripted)))


@pytest.fixture
def opened(screens: Callable[[bool], Screen], folder: Path) -> Iterator[Open]:
    """Give a function that opens a report; no page may log, fail or ask for anything."""
    used: list[Screen] = []

    def open_report(
        name: str, *, width: int = 1280, theme: Any = "light", scripted: bool = True
    ) -> Page:
        path = folder / f"{name}.html"
        if not path.exists():
            text = render_html(getattr(reports, name)())
            path.write_text(text, "utf-8", "backslashreplace")
        screen = screens(scripted)
        used.append(screen)
        screen.page.set_viewport_size({"width": width, "height": 900})
        screen.page.emulate_media(media="screen", color_scheme=theme, reduced_motion="reduce")
        return screen.open(path)

    yield open_report
    for screen in used:
        assert screen.complaints == []
        assert screen.requests == screen.opened
