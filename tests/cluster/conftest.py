"""Options of this room: how much of the differential test to run, and whether to keep what came of it."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--worlds", type=int, default=100, help="worlds of the differential test (100)")
    parser.addoption("--record", action="store_true", help="keep the result of the differential test in its file")
