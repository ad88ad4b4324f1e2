from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.report.html import render_html
from tests import reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]

OPEN_ALL = "document.querySelectorAll('details:not([open]) > summary').forEach((s) => s.click())"
ROWS = ".tasks tbody:not([hidden]) tr:first-child"

# Of every element with text of its own: the text, its colour and the first opaque colour behind.
# Half-transparent ones would need blending, so there must be none.
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((c) => c / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacity = (colour) => channels(colour)[3] ?? 1;
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (opacity(colour) === 1) return colour;
      if (opacity(colour) > 0) throw new Error(`blended: ${colour}`);
    }
    throw new Error("nothing opaque");
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim());
    if (!own.join("") || !element.checkVisibility() || element.matches("script, title, option")) {
      continue;
    }
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [low, high] = [luminance(ink), luminance(behind(element))].sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), own.join(" ").slice(0, 40), ink, behind(element)]);
  }
  return found;
}"""


def column(page: Page, number: int) -> list[str]:
    return page.locator(f"{ROWS} > :nth-child({number})").all_inner_texts()


def header(page: Page, key: str) -> Any:
    return page.locator(f"[data-sort={key}]")


def sorts(page: Page) -> list[str | None]:
    found: list[str | None] = page.locator("[data-sort]").evaluate_all(
        "(headers) => headers.map((header) => header.getAttribute('aria-sort'))"
    )
    return found


def test_a_click_sorts_by_margin_up_down_and_back(opened: Open) -> None:
    page = opened("refused")
    before = column(page, 2)
    button = header(page, "margin").get_by_role("button", name="Margin")
    for direction, reverse in (("ascending", False), ("descending", True)):
        button.click()
        assert sorts(page) == ["none"] * 4 + [direction, "none"]
        margins = column(page, 7)
        known = [float(margin) for margin in margins if margin]
        assert len(known) == 61
        assert known == sorted(known, reverse=reverse)
        assert set(margins[len(known) :]) == {""}
    button.click()
    assert sorts(page) == ["none"] * 6
    assert column(page, 2) == before


def test_the_keyboard_sorts_by_status_and_outcome(opened: Open) -> None:
    page = opened("refused")
    header(page, "seconds").get_by_role("button").focus()
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert header(page, "status").get_attribute("aria-sort") == "ascending"
    statuses = column(page, 5)
    assert list(dict.fromkeys(statuses)) == ["failed", "timeout", "passed"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert header(page, "outcome").get_attribute("aria-sort") == "ascending"
    assert header(page, "status").get_attribute("aria-sort") == "none"
    assert list(dict.fromkeys(column(page, 4))) == ["lost", "known failure", "gained", "kept"]


def test_ids_sort_by_their_numbers(opened: Open) -> None:
    page = opened("refused")
    header(page, "id").get_by_role("button").click()
    assert column(page, 2)[:4] == [f"HumanEval/{k}" for k in range(4)]
    assert next(name for name in column(page, 2) if name.startswith("MBPP")) == "MBPP/17"


def test_a_case_moves_with_its_details(opened: Open) -> None:
    page = opened("refused")
    header(page, "margin").get_by_role("button").click()
    header(page, "margin").get_by_role("button").click()
    body = page.locator(".tasks tbody").first
    name = body.locator("th").inner_text()
    assert body.locator("summary").inner_text().startswith(f"{name}: program")


def test_filters_narrow_the_table_and_tell_the_count(opened: Open) -> None:
    page = opened("refused")
    count = page.get_by_role("status")
    assert count.inner_text() == "91 tasks"
    page.locator("#by-outcome").select_option("lost")
    assert count.inner_text() == "4 of 91 tasks"
    assert column(page, 2) == ["MBPP/19", "HumanEval/23", "HumanEval/34", "HumanEval/7"]
    page.locator("#by-suite").select_option("anchor")
    assert count.inner_text() == "3 of 91 tasks"
    page.locator("#find").fill("ZERODIVISION human")
    assert count.inner_text() == "1 of 91 tasks"
    assert column(page, 2) == ["HumanEval/23"]
    page.locator("#find").fill("no such task")
    assert count.inner_text() == "0 of 91 tasks"
    assert column(page, 2) == []
    page.locator("#find").fill("")
    page.locator("#by-outcome").select_option("any")
    page.locator("#by-suite").select_option("any")
    assert count.inner_text() == "91 tasks"
    assert count.get_attribute("aria-live") == "polite"


def test_a_row_opens_to_its_diff_by_mouse_and_keyboard(opened: Open) -> None:
    page = opened("refused")
    body = page.locator("#task-22")
    diff = body.locator(".diff")
    assert not diff.is_visible()
    body.locator("summary").click()
    assert diff.is_visible()
    assert "-def last_two(s):" in diff.inner_text()
    assert "return n * n" in body.get_by_text("print(square(3))").inner_text()
    page.keyboard.press("Enter")
    assert not diff.is_visible()


def test_a_link_from_the_table_opens_the_case_above(opened: Open) -> None:
    page = opened("refused")
    number = page.locator("#gained .card").first.get_attribute("id").removeprefix("case-")  # type: ignore[union-attr]
    card = page.locator(f"#case-{number} .body")
    assert not card.is_visible()
    page.locator(f"#task-{number} summary").click()
    page.locator(f"#task-{number}").get_by_role("link").click()
    assert card.is_visible()


def test_lost_anchors_are_open_and_gains_open_on_a_click(opened: Open) -> None:
    page = opened("refused")
    assert page.locator("#lost .card .body").first.is_visible()
    gain = page.locator("#gained .card").nth(1)
    gain.locator("summary").click()
    assert gain.locator("table.pairs").is_visible()


def test_hostile_text_is_inert(opened: Open) -> None:
    page = opened("hostile")
    page.evaluate(OPEN_ALL)
    assert page.evaluate("window.pwned") is None
    assert page.locator("script").count() == 1
    assert page.locator("img, iframe, object, embed, form, [onerror]").count() == 0
    assert page.locator("a[href*=javascript]").count() == 0
    assert page.evaluate("document.styleSheets.length") == 1
    assert page.get_by_text("<script>window.pwned=1</script>").count() > 20
    header(page, "id").get_by_role("button").click()
    page.locator("#by-suite").select_option(index=2)
    assert page.get_by_role("status").inner_text() == "1 of 5 tasks"
    assert page.evaluate("window.pwned") is None


def test_a_planted_script_would_be_blocked(browser: Browser, folder: Path) -> None:
    """The policy holds even where escaping should fail."""
    text = render_html(reports.accepted())
    planted = "<script>window.pwned=1</script><img src='x.png' onerror='window.pwned=1'>"
    path = folder / "planted.html"
    path.write_text(text.replace("</main>", f"{planted}</main>"), "utf-8")
    page = browser.new_page()
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text))
    page.goto(path.as_uri())
    assert page.evaluate("window.pwned") is None
    assert len([text for text in blocked if "Content Security Policy" in text]) >= 2
    page.close()


def test_without_javascript_everything_can_be_read(opened: Open) -> None:
    page = opened("refused", scripted=False)
    assert page.get_by_role("heading", level=1).inner_text() == "Refused"
    assert page.locator("#lost table.pairs").first.is_visible()
    assert not page.locator(".filters").is_visible()
    assert page.locator("thead button").count() == 0
    assert page.locator("#count").inner_text() == "91 tasks"
    page.locator("#task-22 summary").click()
    assert page.locator("#task-22 .diff").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["refused", "accepted"])
def test_text_has_contrast_in_both_themes(opened: Open, name: str, theme: Any) -> None:
    page = opened(name, theme=theme)
    page.evaluate(OPEN_ALL)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 300
    low = sorted({(round(ratio, 2), *rest) for ratio, *rest in found if ratio < 4.5})
    assert low == []
    backgrounds = {behind for *_, behind in found}
    assert len(backgrounds) >= 3


def test_the_themes_differ(opened: Open) -> None:
    colours = {
        theme: opened("accepted", theme=theme).evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        for theme in ("light", "dark")
    }
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 19, 22)"}


@pytest.mark.parametrize("name", ["refused", "hostile", "without_baseline"])
def test_a_narrow_screen_scrolls_only_within_boxes(opened: Open, name: str) -> None:
    page = opened(name, width=380)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") == 380
    outside = """() => [...document.querySelectorAll("body *")].filter((e) =>
        !e.closest(".scroll, .hush, .skip") && e.getBoundingClientRect().right > 381)
        .map((e) => `${e.tagName}.${e.className}`)"""
    assert page.evaluate(outside) == []


def test_a_focused_element_is_outlined(opened: Open) -> None:
    page = opened("accepted")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    for _ in range(3):
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"


def test_paper_shows_what_is_closed_on_the_screen(opened: Open) -> None:
    page = opened("refused")
    body = page.locator("#gained .card .body").first
    assert not body.is_visible()
    page.emulate_media(media="print")
    assert body.is_visible()
    assert body.bounding_box()["height"] > 50  # type: ignore[index]
    assert not page.get_by_role("navigation").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".card details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".card details:not([open])").count() == 6


def test_1238_cases_sort_and_filter_in_time(opened: Open) -> None:
    page = opened("large")
    seconds = page.evaluate("""() => {
      const begin = performance.now();
      document.querySelector("[data-sort=margin] button").click();
      const find = document.getElementById("find");
      find.value = "T/12";
      find.dispatchEvent(new Event("input"));
      document.body.offsetHeight;
      return (performance.now() - begin) / 1000;
    }""")
    assert seconds < 3
    assert page.get_by_role("status").inner_text() == "60 of 1,238 tasks"
