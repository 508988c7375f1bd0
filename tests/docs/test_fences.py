"""Every code fence of README and docs works as it is shown. `sandbox` says how each language is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, fences, page_id
from tests.docs.sandbox import Sandbox

_WITH_FENCES = [page for page in PAGES if fences(page)]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", _WITH_FENCES, ids=page_id)
def test_every_fence_of_the_page_works_as_shown(page: Path, tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        for fence in fences(page):
            sandbox.run(fence)
