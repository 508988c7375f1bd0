"""Markdown pages as the tests of this folder see them: fences, headings, links, tables. No network, nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "DOCS",
    "PAGES",
    "ROOT",
    "Fence",
    "Link",
    "anchors",
    "fences",
    "links",
    "page_id",
    "rows",
    "spans_in",
    "tables",
    "text_of",
]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)``` *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
_TITLE = re.compile(r'title="([^"]*)"')
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Fence:
    """One code fence; `title` names the file that it shows, if any."""

    page: Path
    line: int
    language: str
    title: str | None
    body: str

    @property
    def place(self) -> str:
        return f"{page_id(self.page)}:{self.line}"


@dataclass(frozen=True)
class Link:
    """A link or picture, as written."""

    page: Path
    target: str


def page_id(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: str) -> str:
    """A page of `docs/` as text."""
    return (DOCS / page).read_text()


def fences(page: Path) -> list[Fence]:
    """The fences of a page, in order. Indentation (of a list item, say) is taken away."""
    text = page.read_text()
    found: list[Fence] = []
    for match in _FENCE.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        title = _TITLE.search(rest)
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Fence(page, line, language, title[1] if title else None, body))
    return found


def prose(text: str) -> str:
    """`text` without its fences."""
    return _FENCE.sub("", text)


def links(page: Path) -> Iterator[Link]:
    """Links of a page outside of code."""
    for match in _LINK.finditer(_SPAN.sub("", prose(page.read_text()))):
        yield Link(page, match["target"])


def anchors(page: Path) -> set[str]:
    """What `#...` may name on a page: its headings, as the site and GitHub derive their ids."""
    headings = re.findall(r"^#{1,6} +(.+?)(?: *\{[^}]*\})?$", prose(page.read_text()), re.MULTILINE)
    return {re.sub(r"[ -]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def spans_in(text: str) -> list[str]:
    """Everything in backticks, outside of fences."""
    return _SPAN.findall(prose(text))


def tables(text: str) -> Iterator[list[list[str]]]:
    """The tables of a page, each as its rows of cells without heading. An escaped `\\|` belongs to its cell."""
    for match in re.finditer(r"^\|.*\n\|[|:\- ]+\n((?:\|.*\n)+)", prose(text) + "\n", re.MULTILINE):
        lines = match[1].splitlines()
        yield [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of all tables of a page."""
    for table in tables(text):
        yield from table
