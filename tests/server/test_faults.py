"""Faults of the platform's own parts, as clients of the REST API see them: a log that fails, a crash, a slow start."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer, Intermediate
from lmos.conversation.messages import Message
from lmos.database.base import DatabaseError
from lmos.runtime.sql import Connection
from lmos.server.platform import Platform
from lmos.settings import Settings
from tests.runtime.fakes import echo, eventually
from tests.server.fakes import MESSAGE, an_api, body

pytestmark = pytest.mark.anyio

TURN = {"x-turn-id": "t1"}
STREAM = {**TURN, "accept": "text/event-stream"}
EVENTS = "/apis/v1/acme/chat/c1/turns/t1/events"
NOT_RECORDED = {
    "errorCode": "INTERNAL_SERVER_ERROR",
    "message": "the turn could not be recorded; post it again later",
}


def failing(*_: object) -> None:
    raise DatabaseError("database 'lmos.db': the disk is full; free some space (SQLITE_FULL)")


def crashing(*_: object) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("headers", [TURN, STREAM], ids=["plain", "stream"])
async def test_a_turn_that_cannot_be_recorded_is_500_and_one_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr("lmos.runtime.sql.insert_events", failing)
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        with capture_logs() as lines:
            response = await client.post(MESSAGE, json=body(), headers=headers)

    assert (response.status_code, response.json()) == (500, NOT_RECORDED)
    assert [line["event"] for line in lines] == ["turn not recorded"]
    assert "the disk is full" in lines[0]["error"]


async def test_a_stream_whose_log_fails_ends_with_an_error_frame_without_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lmos.runtime import sql

    insert = sql.insert_events

    def fails_with_the_answer(connection: Connection, rows: list[dict[str, str]]) -> None:
        if any("MessageCompleted" in row["body"] for row in rows):
            failing()
        insert(connection, rows)

    async def slow(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        yield Intermediate("One moment")
        await asyncio.sleep(0.05)
        yield Answer(Message(role="assistant", content="Never shown"))

    monkeypatch.setattr("lmos.runtime.sql.insert_events", fails_with_the_answer)
    async with an_api(tmp_path, {"billing": slow}) as (client, _):
        response = await client.post(MESSAGE, json=body(), headers=STREAM)

    *shown, last = response.text.split("\n\n")[:-1]
    assert "One moment" in shown[-1]
    assert last == f"event: error\ndata: {json.dumps(NOT_RECORDED, separators=(',', ':'))}"


async def test_events_that_cannot_be_read_are_500_and_one_log_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        await client.post(MESSAGE, json=body(), headers=TURN)
        monkeypatch.setattr("lmos.runtime.sql.select_bodies", failing)
        with capture_logs() as lines:
            response = await client.get(EVENTS)

    assert (response.status_code, response.json()["errorCode"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "SQLITE" not in response.text
    assert [line["event"] for line in lines] == ["storage failed"]


async def test_a_crash_is_500_in_the_error_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with an_api(tmp_path, {"billing": echo}) as (client, _):
        monkeypatch.setattr("lmos.server.info._agent_info", crashing)
        response = await client.get("/apis/v1/agents/acme/web")

    assert response.status_code == 500
    assert response.json() == {
        "errorCode": "INTERNAL_SERVER_ERROR",
        "message": "the platform failed (ZeroDivisionError); see its log",
    }


async def test_a_platform_is_ready_only_once_its_manifests_are_routable(tmp_path: Path) -> None:
    async with Platform.open(Settings(data=tmp_path), platform_host="127.0.0.1:1") as platform:
        transport = httpx2.ASGITransport(app=platform.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://lmos") as client:
            before = await client.get("/readyz")
            await platform.start()
            after = await client.get("/readyz")

    assert (before.status_code, before.json()["ready"]) == (503, False)
    assert "manifests" in before.json()["waitingFor"]
    assert (after.status_code, after.json()) == (200, {"ready": True, "waitingFor": []})


async def test_who_reads_a_running_turn_again_sees_its_earlier_attempts_too(tmp_path: Path) -> None:
    attempts = 0

    async def fails_once(_request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        nonlocal attempts
        attempts += 1
        yield Intermediate(f"attempt {attempts}")
        if attempts == 2:
            await asked.wait()
            yield Answer(Message(role="assistant", content="Done"))

    asked = asyncio.Event()
    async with an_api(tmp_path, {"billing": fails_once}) as (client, _):
        await client.post(MESSAGE, json=body(), headers=TURN)
        posting = asyncio.create_task(client.post(MESSAGE, json=body(), headers=TURN))
        await eventually(lambda: attempts == 2)
        reading = asyncio.create_task(client.get(EVENTS))
        await asyncio.sleep(0.05)
        asked.set()
        await posting
        while_running, afterwards = await reading, await client.get(EVENTS)

    assert while_running.text == afterwards.text
    assert "attempt 1" in while_running.text
