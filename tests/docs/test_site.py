"""`make docs` builds the site without a warning, and the site asks nobody else for anything."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

_LOADED = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"(https?:[^\"]+)\"|<link\b[^>]*\bhref=\"(https?:[^\"]+)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built beside a copy of its sources: what `make docs` built is left alone."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(DOCS, folder / "docs")
    (folder / "src").symlink_to(ROOT / "src")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.mark.timeout(60)
def test_the_site_has_a_page_for_every_source(site: Path) -> None:
    expected = {page.relative_to(DOCS).with_suffix("") for page in DOCS.rglob("*.md")}
    built = {page.relative_to(site).parent for page in site.rglob("index.html")}
    assert {page.parent if page.name == "index" else page for page in expected} == built


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = {url for page in site.rglob("*.html") for match in _LOADED.findall(page.read_text()) for url in match}
    assert loaded - {""} == set()
