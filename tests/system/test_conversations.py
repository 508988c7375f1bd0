"""Many conversations at once, over HTTP, with agents in the process and over ARC: none fails, none is mixed up."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lmos.testing import LmosProcess
from tests.system.platforms import ECHO_AGENT, arc_agent, body, channel, events_path, frames, message_path, up

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(120)]

CONVERSATIONS = 200
TURNS = 3


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[LmosProcess, str]]:
    """A platform with agent `inside`, and agent `beside` in a process of its own."""
    folder = tmp_path_factory.mktemp("conversations")
    for name in ("inside", "beside"):
        (folder / f"{name}.agent.py").write_text(ECHO_AGENT.replace("NAME", name))
    with LmosProcess("agent", "run", "beside.agent.py", "--port", "0", folder=folder, name="beside") as beside:
        manifests = arc_agent("beside", beside.ready()) + channel("inside", "beside")
        with up(folder, "inside.agent.py", manifests=manifests) as process:
            yield process, process.ready()


async def converse(http: httpx2.AsyncClient, number: int) -> list[str]:
    """The answers of one conversation, turn after turn."""
    answers: list[str] = []
    agent = ("inside", "beside")[number % 2]
    for turn in range(TURNS):
        response = await http.post(
            message_path(f"c{number}"), json=body(user=f"user-{number}", agent=agent), headers={"x-turn-id": f"t{turn}"}
        )
        assert response.status_code == 200, response.text
        answers.append(response.json()["content"])
    return answers


async def test_two_hundred_conversations_at_once_are_answered_each_with_its_own(
    platform: tuple[LmosProcess, str],
) -> None:
    process, url = platform
    limits = httpx2.Limits(max_connections=CONVERSATIONS)
    async with httpx2.AsyncClient(base_url=url, timeout=60, limits=limits) as http:
        answers = await asyncio.gather(*(converse(http, number) for number in range(CONVERSATIONS)))
        logs = await asyncio.gather(*(log(http, number) for number in range(CONVERSATIONS)))
        metrics = (await http.get("/metrics")).text

    for number, said in enumerate(answers):
        assert said == [f"c{number} user-{number} t{turn}" for turn in range(TURNS)]
    for number, turns in enumerate(logs):
        for turn, events in enumerate(turns):
            assert [event["seq"] for event in events] == list(range(len(events)))
            assert events[0]["userId"] == f"user-{number}"
            assert events[-2]["message"]["content"] == f"c{number} user-{number} t{turn}"
            assert events[-1]["type"] == "TurnCompleted"
    assert process.err == ""
    assert sample(metrics, "lmos_turns_total", outcome="answered", tenant="acme") == CONVERSATIONS * TURNS
    assert sample(metrics, "lmos_turns_running") == 0


async def log(http: httpx2.AsyncClient, number: int) -> list[list[dict[str, Any]]]:
    """The logged events of each turn of a conversation."""
    paths = [events_path(f"c{number}", f"t{turn}") for turn in range(TURNS)]
    return [frames((await http.get(path)).text) for path in paths]


def sample(text: str, name: str, **labels: str) -> float:
    """One value of the metrics, read as Prometheus would."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) == 1, (name, found)
    return found[0]
