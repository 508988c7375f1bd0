"""Token files, which somebody else keeps fresh. Time is virtual."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import looptime
import pytest

from lmos.operator.kubernetes.credentials import CredentialsFault, TokenFile

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


async def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    credentials = TokenFile(path)
    assert await credentials.headers() == {"Authorization": "Bearer one"}
    path.write_text("two\n")
    await asyncio.sleep(59)
    assert await credentials.headers() == {"Authorization": "Bearer one"}
    await asyncio.sleep(1)
    assert await credentials.headers() == {"Authorization": "Bearer two"}


async def test_a_token_that_is_refused_is_read_again_at_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    credentials = TokenFile(path)
    refused = await credentials.headers()
    path.write_text("two")
    assert await credentials.renew(refused) is True
    assert await credentials.headers() == {"Authorization": "Bearer two"}


async def test_the_same_token_is_not_worth_another_attempt(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    credentials = TokenFile(path)
    assert await credentials.renew(await credentials.headers()) is False


async def test_a_token_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(CredentialsFault, match=r"token cannot be read: No such file.*token mounted\?"):
        await TokenFile(path).headers()
    path.write_text(" \n")
    with pytest.raises(CredentialsFault, match="is empty"):
        await TokenFile(path).headers()
