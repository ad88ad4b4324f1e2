"""A page as its reader's parser sees it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

from pytest_anchorgate.report.html import render_html

if TYPE_CHECKING:
    from pytest_anchorgate.report.gated import GateReport

VOID = {"meta", "link", "input", "col", "br"}


class Document(HTMLParser):
    """A page as a parser reads it: its tags, attributes and text; badly nested ones fail."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self.open), data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag: str = "body") -> str:
        """What stands in such elements, script and style aside."""
        hidden = {"script", "style"} - {tag}
        found = (text for path, text in self.texts if tag in path and not hidden & {*path})
        return " ".join(" ".join(found).split())


def document(report: GateReport) -> Document:
    return Document(render_html(report))


def section(text: str, name: str) -> str:
    return text.partition(f'<section id="{name}"')[2].partition("</section>")[0]
