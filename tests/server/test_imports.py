"""What a process of its own does not load: an operator beside each cluster should be small."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *("sqlalchemy", "alembic", "fastapi", "numpy", "wordllama", "tokenizers", "pydantic_ai", "httpx2", "graphql"),
    *("rich", "websockets", "onnxruntime", "minijinja"),
}


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("lmos.server.operator", set[str]()),
        ("lmos.cli.operator", set[str]()),
        ("lmos.server.runtime", HEAVY - {"pydantic_ai", "rich", "onnxruntime"}),
    ],
)
def test_a_process_loads_nothing_heavy_that_it_does_not_need(module: str, needed: set[str]) -> None:
    code = (
        f"import sys, lmos.settings, lmos.telemetry.export, {module}; print(*{{m.split('.')[0] for m in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) <= needed
