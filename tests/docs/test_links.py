"""Links between pages lead somewhere, and every page can be found from the navigation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, links, page_id

_CHECKED = [*PAGES, *(ROOT / name for name in ("AGENTS.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]


@pytest.mark.parametrize("page", _CHECKED, ids=page_id)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for link in links(page):
        path, _, fragment = link.target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (fragment and fragment not in anchors(target)):
            broken.append(link.target)
    assert broken == []


def test_pages_of_the_site_link_only_what_the_site_has() -> None:
    outside = [
        f"{page_id(page)}: {link.target}"
        for page in PAGES
        if page.is_relative_to(DOCS)
        for link in links(page)
        if "://" not in link.target and not (page.parent / link.target).resolve().is_relative_to(DOCS)
    ]
    assert outside == []


def test_the_navigation_names_every_page_once() -> None:
    named = sorted(_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert named == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def _pages(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node  # pyright: ignore[reportUnknownVariableType]
    return [page for child in children for page in _pages(child)]  # pyright: ignore[reportUnknownVariableType]
