"""`lmos chat` against a scripted platform on a real socket: streams, faults, resuming, conversations."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lmos.testing.loopback import serving
from tests.cli.conftest import Lmos


@dataclass
class Platform:
    """Answers each post with the next of `answers`; keeps what was posted."""

    answers: list[Response] = field(default_factory=list[Response])
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list[tuple[str, dict[str, str], Any]])
    url: str = ""

    async def message(self, request: Request) -> Response:
        self.posts.append((request.url.path, dict(request.headers), await request.json()))
        return self.answers.pop(0) if self.answers else _stream(*ANSWERED)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/apis/v1/{path:path}", self.message, methods=["POST"])])


@pytest.fixture
def platform() -> Generator[Platform]:
    """A scripted platform that runs in a thread, since a command has an event loop of its own."""
    scripted, up, loop = Platform(), threading.Event(), asyncio.new_event_loop()
    down = asyncio.Event()

    async def serve() -> None:
        async with serving(scripted.app) as url:
            scripted.url = url
            up.set()
            await down.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(10)
    yield scripted
    loop.call_soon_threadsafe(down.set)
    thread.join()
    loop.close()


def _event(seq: int, kind: str, **members: Any) -> str:
    data = {"type": kind, "seq": seq, "at": "2026-01-01T00:00:00Z", **members}
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def _said(seq: int, agent: str | None, text: str) -> str:
    return _event(seq, "MessageCompleted", agent=agent, message={"role": "assistant", "content": text})


ANSWERED = (
    _event(0, "TextDelta", agent="billing", text="39.95 "),
    ": keep-alive\n\n",
    _event(1, "TextDelta", agent="billing", text="EUR"),
    _said(2, "billing", "39.95 EUR"),
    _event(3, "TurnCompleted", outcome="answered", duration=0.1),
)


def _stream(*frames: str) -> Response:
    async def body() -> AsyncIterator[str]:
        for frame in frames:
            yield frame

    return StreamingResponse(body(), media_type="text/event-stream")


def _broken(*frames: str) -> Response:
    """A stream that promises more bytes than it sends."""
    content = "".join(frames).encode()
    headers = {"content-length": str(len(content) + 100), "content-type": "text/event-stream"}

    async def body() -> AsyncIterator[bytes]:
        yield content
        raise ConnectionResetError

    return StreamingResponse(body(), headers=headers)


def _words(platform: Platform, *words: str) -> tuple[str, ...]:
    return ("chat", "--url", platform.url, "--tenant", "acme", "--channel", "web", *words)


def test_deltas_are_the_answer_and_shown_once(lmos: Lmos, platform: Platform) -> None:
    outcome = lmos(*_words(platform, "How much?"))
    assert (outcome.code, outcome.out) == (0, "billing: 39.95 EUR\n")


def test_an_answer_without_deltas_is_shown_whole(lmos: Lmos, platform: Platform) -> None:
    done = _event(1, "TurnCompleted", outcome="declined", duration=0.1)
    platform.answers.append(_stream(_said(0, None, "I cannot\nhelp."), done))
    assert lmos(*_words(platform, "Pizza?")).out == "lmos: I cannot\nhelp.\n"


def test_several_agents_answer_on_lines_of_their_own(lmos: Lmos, platform: Platform) -> None:
    done = _event(3, "TurnCompleted", outcome="answered", duration=0.1)
    aside = _event(0, "IntermediateMessage", agent="a", content="one moment")
    platform.answers.append(_stream(aside, _said(1, "a", "One."), _said(2, "b", "Two."), done))
    assert lmos(*_words(platform, "Both?")).out == "  a: one moment\na: One.\nb: Two.\n"


def test_what_is_known_about_the_speaker_is_sent(lmos: Lmos, platform: Platform) -> None:
    options = ("--user", "anna", "--profile", "tier=gold", "--param", "locale=de", "--conversation", "c/1")
    lmos(*_words(platform, "How", "much?", "--subset", "canary", "--agent", "billing", *options))
    [(path, headers, body)] = platform.posts
    assert path == "/apis/v1/acme/chat/c/1/message"
    assert headers["x-subset"] == "canary"
    assert body == {
        "inputContext": {"messages": [{"role": "user", "content": "How much?"}], "explicitAgent": "billing"},
        "systemContext": {"channelId": "web", "contextParams": [{"key": "locale", "value": "de"}]},
        "userContext": {"userId": "anna", "contextParams": [{"key": "tier", "value": "gold"}]},
    }


def test_a_stream_that_breaks_is_resumed_after_its_last_event(lmos: Lmos, platform: Platform) -> None:
    platform.answers += [_broken(ANSWERED[0]), _stream(*ANSWERED[1:])]
    outcome = lmos(*_words(platform, "How much?"))
    assert (outcome.code, outcome.out) == (0, "billing: 39.95 EUR\n")
    (_, first, _), (_, second, _) = platform.posts
    assert first["x-turn-id"] == second["x-turn-id"]
    assert "last-event-id" not in first
    assert second["last-event-id"] == "0"


def test_a_turn_that_fails_is_exit_code_1(lmos: Lmos, platform: Platform) -> None:
    failed = _event(1, "TurnFailed", code="AGENT_CLIENT_EXCEPTION", message="it hung up", duration=0.1)
    platform.answers.append(_stream(ANSWERED[0], failed))
    outcome = lmos(*_words(platform, "How much?"))
    assert (outcome.code, outcome.out) == (1, "billing: 39.95 \n")
    assert outcome.err == "error: AGENT_CLIENT_EXCEPTION: it hung up\n"


def test_a_refusal_is_shown_with_its_code(lmos: Lmos, platform: Platform) -> None:
    platform.answers.append(JSONResponse({"errorCode": "AGENT_NOT_FOUND", "message": "no such channel"}, 404))
    assert lmos(*_words(platform, "Hi")).err == "error: AGENT_NOT_FOUND: no such channel\n"


def test_a_turn_that_could_not_be_recorded_is_told_in_the_stream(lmos: Lmos, platform: Platform) -> None:
    frame = 'event: error\ndata: {"errorCode": "INTERNAL_SERVER_ERROR", "message": "post it again later"}\n\n'
    platform.answers.append(_stream(ANSWERED[0], frame))
    assert lmos(*_words(platform, "Hi")).err == "error: INTERNAL_SERVER_ERROR: post it again later\n"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(PlainTextResponse("gateway", 502), "answers with status 502", id="no error body"),
        pytest.param(PlainTextResponse("hello"), "is no LMOS platform", id="no stream"),
        pytest.param(_stream("data: {}\n\n"), "cannot be read", id="no event"),
        pytest.param(_stream(ANSWERED[0]), "ended the stream before the turn was over", id="no end"),
    ],
)
def test_what_no_platform_would_answer_is_one_line(
    lmos: Lmos, platform: Platform, answer: Response, message: str
) -> None:
    platform.answers.append(answer)
    outcome = lmos(*_words(platform, "Hi"))
    assert outcome.code == 1
    assert message in outcome.err.splitlines()[-2]
    assert outcome.err.splitlines()[-1].startswith("  fix: ")


def test_a_platform_that_is_not_there_is_named(lmos: Lmos) -> None:
    outcome = lmos("chat", "--url", "http://127.0.0.1:9", "--tenant", "acme", "--channel", "web", "Hi")
    assert outcome.code == 1
    assert outcome.err.startswith("error: nothing answers at http://127.0.0.1:9\n  fix: start the platform")


def test_the_address_comes_from_the_environment(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_PORT", "9")
    assert "http://127.0.0.1:9" in lmos("chat", "--tenant", "acme", "--channel", "web", "Hi").err


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("chat", "Hi"), id="no channel"),
        pytest.param(("chat", "--direct", "Hi"), id="no address"),
        pytest.param(("chat", "--tenant", "a", "--channel", "b", "-o", "json"), id="json without text"),
        pytest.param(("chat", "--tenant", "a", "--channel", "b", "--profile", "x", "Hi"), id="no pair"),
        pytest.param(("chat", "--tenant", "a", "--channel", "b", "--url", "host", "Hi"), id="no url"),
    ],
)
def test_a_contradictory_command_says_how_to_write_it(lmos: Lmos, words: tuple[str, ...]) -> None:
    outcome = lmos(*words)
    assert (outcome.code, outcome.out) == (1, "")
    assert "\n  fix: " in outcome.err


def test_lines_of_input_are_turns_of_one_conversation(
    lmos: Lmos, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("How much?\n\n/why\nAnd before?\n/new\nHello\n/quit\nnever said\n"))
    outcome = lmos(*_words(platform))
    assert (outcome.code, outcome.out.count("billing: 39.95 EUR")) == (0, 3)
    conversations = [re.findall(r"/chat/([^/]+)/", path)[0] for path, _, _ in platform.posts]
    assert conversations[0] == conversations[1] != conversations[2]
    assert [body["inputContext"]["messages"][0]["content"] for _, _, body in platform.posts] == [
        "How much?",
        "And before?",
        "Hello",
    ]


def test_a_failed_turn_does_not_end_the_conversation(
    lmos: Lmos, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.answers.append(JSONResponse({"errorCode": "INVALID_REQUEST", "message": "no"}, 400))
    monkeypatch.setattr("sys.stdin", io.StringIO("First\nSecond\n"))
    outcome = lmos(*_words(platform))
    assert (outcome.code, outcome.out) == (1, "billing: 39.95 EUR\n")
    assert outcome.err == "error: INVALID_REQUEST: no\n"
