from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.gate import Decision
from pytest_anchorgate.report.html import render_html, write_html
from tests import reports
from tests.pages import Document, document, section

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.report.gated import GateReport

REPORTS = ("refused", "accepted", "without_baseline", "hostile")


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_is_well_formed(name: str) -> None:
    found = document(getattr(reports, name)())
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for _, attributes in found.tags:
        if target := attributes.get("aria-labelledby"):
            assert target in ids
        if (href := attributes.get("href") or "").startswith("#"):
            assert href[1:] in ids


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_has_landmarks_and_headings_in_order(name: str) -> None:
    found = document(getattr(reports, name)())
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(found.of(landmark)) == 1
    assert found.of("html")[0]["lang"] == "en"


@pytest.mark.parametrize("name", REPORTS)
def test_tables_have_captions_and_scopes(name: str) -> None:
    found = document(getattr(reports, name)())
    assert len(found.of("caption")) == len(found.of("table"))
    assert all(header.get("scope") in {"col", "row"} for header in found.of("th"))
    for region in (a for _, a in found.tags if a.get("role") == "region"):
        assert region["tabindex"] == "0"
        assert "aria-label" in region or "aria-labelledby" in region
    for image in (a for tag, a in found.tags if tag == "svg"):
        assert image.get("aria-hidden") == "true" or image.get("aria-labelledby")


@pytest.mark.parametrize("name", REPORTS)
def test_the_policy_allows_our_script_and_nothing_else(name: str) -> None:
    text = render_html(getattr(reports, name)())
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policies = [a["content"] for a in Document(text).of("meta") if "http-equiv" in a]
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; img-src data:"
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_asks_for_nothing(name: str) -> None:
    found = document(getattr(reports, name)())
    for tag, attributes in found.tags:
        assert tag not in {"img", "iframe", "object", "embed", "form", "base", "a:link"}
        assert "src" not in attributes
        assert "style" not in attributes
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
        if href := attributes.get("href"):
            assert href.startswith("#") or (tag == "link" and href.startswith("data:image/svg"))
    style = found.text("style")
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", REPORTS)
def test_the_same_report_gives_the_same_page(name: str) -> None:
    report = getattr(reports, name)
    assert render_html(report()) == render_html(report())


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    text = render_html(reports.hostile())
    found = Document(text)
    assert len(found.of("script")) == 1
    assert len(found.of("style")) == 1
    assert text.isprintable() or {c for c in text if not c.isprintable()} == {"\n"}
    assert r"\x1b[31mred\x00\u202eevil\u2066\u200b\ud800" in found.text()
    assert '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">' in found.text()
    assert "{{ 7 * 7 }}" in found.text()


def test_long_texts_are_cut_and_say_by_how_much() -> None:
    report = reports.hostile()
    found, verdict = section(render_html(report), "tasks"), report.rows[0].verdict
    assert f"… {len(verdict['program']) - 8000:,} characters more" in found
    assert f"… {len(verdict['completion']) - 2000:,} characters before" in found
    assert len(render_html(report)) < 300_000


def decided(decision: Decision, **changed: Any) -> GateReport:
    report = reports.accepted()
    return replace(report, ruling=replace(report.ruling, decision=decision, **changed))


@pytest.mark.parametrize("decision", Decision)
def test_the_decision_comes_first_in_a_word_a_sign_and_its_reasons(decision: Decision) -> None:
    found = document(decided(decision, reasons=("one reason", "and another")))
    word = decision.value.capitalize()
    assert found.text("h1") == word
    assert found.text("title").startswith(word)
    assert found.text("header").startswith(f"Gate report {word} one reason and another")
    assert found.of("svg")[0]["class"] == "sign"


def test_the_signs_differ() -> None:
    signs = {
        re.search(r'<svg class="sign".*?</svg>', render_html(decided(d)), re.DOTALL)[0]  # type: ignore[index]
        for d in Decision
    }
    assert len(signs) == len(Decision)


def test_pack_and_baseline_are_named_with_their_digests() -> None:
    report = reports.refused()
    assert report.pack is not None
    head = document(report).text("header")
    for named in (report.pack.path, report.pack.sha256, "bd6-pass1.planck", report.baseline.where):
        assert named in head


def test_a_baseline_of_another_engine_says_what_differs() -> None:
    report = reports.refused()
    baseline = replace(report.baseline, differs=("engine",), redecided="losses decided again")
    head = document(replace(report, baseline=baseline)).text("header")
    assert "Not as certified engine; losses decided again" in head


def test_1238_cases_render_within_two_seconds_into_five_megabytes() -> None:
    report = reports.large()
    render_html(reports.accepted())
    begin = time.process_time()
    text = render_html(report)
    assert time.process_time() - begin < 2
    assert len(text.encode()) < 5_000_000
    assert text.count("<tbody id=") == 1238


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    write_html(reports.hostile(), tmp_path / "gate.html")
    assert (tmp_path / "gate.html").read_text("utf-8") == render_html(reports.hostile())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "gate.html"
    with pytest.raises(PackError, match=re.escape(f"{missing}: cannot be written")):
        write_html(reports.accepted(), missing)
