"""Who `lmos chat` talks to: a platform over HTTP, or one ARC agent without a platform. Both answer in `TurnEvent`s."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self
from urllib.parse import quote

import httpx2
from pydantic import ValidationError

from lmos.cli.errors import CommandError
from lmos.conversation.errors import TurnError
from lmos.conversation.events import MessageCompleted, TurnCompleted, TurnEvent, TurnFailed, event_adapter
from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import KeyValue, Message, User, WireModel
from lmos.protocols.arc.client import ArcClient
from lmos.runtime.translate import turn_event

__all__ = ["AgentPeer", "Peer", "PlatformPeer", "Speaker"]

_RESUMES: Final = 3
_RESUME_SECONDS: Final = 0.5
# A platform sends a keep-alive every 15 s while a turn runs.
_SILENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, where, and what the agents may know about it."""

    conversation: str
    user: str = "cli"
    tenant: str | None = None
    channel: str | None = None
    subset: str | None = None
    agent: str | None = None
    profile: Sequence[tuple[str, str]] = ()
    params: Sequence[tuple[str, str]] = ()


class _Refused(WireModel):
    """The platform's error body."""

    error_code: str
    message: str


class Peer(Protocol):
    """Takes turns, one at a time. Use it as an asynchronous context."""

    def ask(self, text: str, turn: str) -> AsyncGenerator[TurnEvent, None]:
        """Events of one turn, the last `TurnCompleted` or `TurnFailed`. Raises `CommandError`."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...


class PlatformPeer:
    """A running platform. A stream that breaks is resumed where it ended."""

    def __init__(self, url: str, speaker: Speaker) -> None:
        self._url = url.rstrip("/")
        self._speaker = speaker
        timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=5.0)
        try:
            self._http = httpx2.AsyncClient(base_url=self._url, timeout=timeout)
        except (httpx2.InvalidURL, ValueError) as error:
            raise CommandError(f"--url {url!r} is no URL: {error}", "write as in http://127.0.0.1:8080") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def ask(self, text: str, turn: str) -> AsyncGenerator[TurnEvent, None]:
        last, resumes = -1, 0
        while True:
            try:
                async with aclosing(self._post(text, turn, last)) as events:
                    async for event in events:
                        last, resumes = event.seq, 0
                        yield event
                        if isinstance(event, (TurnCompleted, TurnFailed)):
                            return
                raise CommandError("the platform ended the stream before the turn was over", "try again")
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if last < 0:
                    raise self._unreachable() from error
                resumes = await self._wait(resumes, error)
            except httpx2.UnsupportedProtocol as error:
                raise CommandError(f"--url {self._url!r}: {error}", "write as in http://127.0.0.1:8080") from error
            except httpx2.TransportError as error:
                resumes = await self._wait(resumes, error)

    def _unreachable(self) -> CommandError:
        return CommandError(
            f"nothing answers at {self._url}", "start the platform with `lmos up`, or name another with --url"
        )

    async def _wait(self, resumes: int, error: Exception) -> int:
        if resumes >= _RESUMES:
            raise CommandError(f"the connection to {self._url} broke: {error or type(error).__name__}") from error
        await asyncio.sleep(_RESUME_SECONDS)
        return resumes + 1

    async def _post(self, text: str, turn: str, last: int) -> AsyncGenerator[TurnEvent, None]:
        """Post the turn and read its events after `last`. Raises httpx2's errors and `CommandError`."""
        speaker = self._speaker
        tenant, conversation = quote(speaker.tenant or "", safe=""), quote(speaker.conversation, safe="")
        headers = {"accept": "text/event-stream", "x-turn-id": turn}
        if speaker.subset is not None:
            headers["x-subset"] = speaker.subset
        if last >= 0:
            headers["last-event-id"] = str(last)
        path = f"/apis/v1/{tenant}/chat/{conversation}/message"
        async with self._http.stream("POST", path, headers=headers, json=_body(speaker, text)) as response:
            if response.status_code != 200:
                raise _refusal(response.status_code, await response.aread(), self._url)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise CommandError(f"{self._url} answers, but is no LMOS platform", "name the platform with --url")
            async for data in _data_of_events(response.aiter_lines()):
                yield _event(data)


def _body(speaker: Speaker, text: str) -> dict[str, Any]:
    inputs: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
    if speaker.agent is not None:
        inputs["explicitAgent"] = speaker.agent
    return {
        "inputContext": inputs,
        "systemContext": {"channelId": speaker.channel, "contextParams": _entries(speaker.params)},
        "userContext": {"userId": speaker.user, "contextParams": _entries(speaker.profile)},
    }


def _entries(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in pairs]


def _refusal(status: int, body: bytes, url: str) -> CommandError:
    """The platform's error body as an error; anything else by its status."""
    try:
        refused = _Refused.model_validate_json(body)
    except ValidationError:
        return CommandError(f"{url} answers with status {status}", "is it an LMOS platform? name it with --url")
    return CommandError(f"{refused.error_code}: {refused.message}")


async def _data_of_events(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The `data` of each server-sent event."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data.clear()


def _event(data: str) -> TurnEvent:
    """An event of the turn. Raises `CommandError` for the error frame of a turn that could not be recorded."""
    try:
        return event_adapter.validate_json(data)
    except ValidationError as error:
        with suppress(ValidationError):
            refused = _Refused.model_validate_json(data)
            raise CommandError(f"{refused.error_code}: {refused.message}") from None
        fix = "use an `lmos` of the platform's version"
        raise CommandError(f"the platform sent an event that cannot be read: {data[:200]}", fix) from error


@dataclass
class AgentPeer:
    """One agent at `url`, asked over ARC. It keeps no log, so the transcript is kept here."""

    url: str
    speaker: Speaker
    _client: ArcClient = field(default_factory=ArcClient, init=False)
    _transcript: tuple[Message, ...] = field(default=(), init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()

    async def ask(self, text: str, turn: str) -> AsyncGenerator[TurnEvent, None]:
        speaker = self.speaker
        messages = (*self._transcript, Message(role="user", content=text, turn_id=turn))
        request = AgentRequest(
            conversation_id=speaker.conversation,
            messages=messages,
            user=User(id=speaker.user, profile=tuple(KeyValue(key=k, value=v) for k, v in speaker.profile)),
            turn_id=turn,
            tenant=speaker.tenant,
            channel=speaker.channel,
            subset=speaker.subset,
            params=tuple(KeyValue(key=k, value=v) for k, v in speaker.params),
        )
        loop = asyncio.get_running_loop()
        begin = loop.time()
        answers = self._client.ask(self.url, request, subset=speaker.subset, agent_name=speaker.agent)
        try:
            async with aclosing(answers) as events:
                async for event in events:
                    said = turn_event(event, speaker.agent or "agent")
                    if isinstance(said, MessageCompleted):
                        self._transcript = (*messages, said.message)
                    yield said
        except TurnError as error:
            yield TurnFailed(code=error.code, message=str(error), duration=loop.time() - begin)
            return
        yield TurnCompleted(outcome="answered", duration=loop.time() - begin)
