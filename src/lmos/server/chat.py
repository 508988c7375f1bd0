"""The message endpoint: one POST a turn, answered whole or as a stream of events. A projection of `Runtime.handle`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lmos.conversation.errors import PlatformError, TurnCancelled, TurnError, error_named
from lmos.conversation.events import MessageCompleted, TurnEvent, TurnFailed
from lmos.conversation.turn import TurnKey
from lmos.database.base import DatabaseError
from lmos.runtime.runtime import Runtime
from lmos.server.errors import STORAGE_FAILED
from lmos.server.strict_json import StrictJsonRoute
from lmos.server.wire import AssistantMessage, Conversation, ErrorBody, Identifier
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["chat_router"]

_log = logger("server")
_KEEP_ALIVE_SECONDS = 15.0
_EVENT_STREAM = "text/event-stream"
_STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "`INVALID_REQUEST`: the body or a header cannot be understood."},
    404: {"model": ErrorBody, "description": "`AGENT_NOT_FOUND`: no such channel, or no such explicit agent on it."},
    409: {"model": ErrorBody, "description": "`TURN_CONFLICT`: the turn id was used with another body."},
    413: {"model": ErrorBody, "description": "`INVALID_REQUEST`: the body is too large."},
    500: {
        "model": ErrorBody,
        "description": "`AGENT_CLIENT_EXCEPTION`: the agent failed or never answered; else `INTERNAL_SERVER_ERROR`.",
    },
}
_STREAM_CONTENT: dict[str, Any] = {
    "description": "The answer; with `Accept: text/event-stream`, the turn's events as they happen.",
    "content": {
        _EVENT_STREAM: {
            "itemSchema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "id": {"type": "string", "pattern": "^[0-9]+$", "description": "`seq` of the event."},
                    "event": {"type": "string", "description": "`type` of the event, or `error`, which has no id."},
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": {
                            "anyOf": [
                                {"$ref": "#/components/schemas/TurnEvent"},
                                {"$ref": "#/components/schemas/ErrorBody"},
                            ]
                        },
                    },
                },
            }
        }
    },
}

TenantId = Annotated[Identifier, Path(alias="tenantId")]
ConversationId = Annotated[Identifier, Path(alias="conversationId")]
LastEventId = Annotated[
    int, Header(alias="Last-Event-ID", ge=-1, le=2**53, description="Show only events after this one.")
]


def chat_router(runtime: Runtime, *, resume_grace: float) -> APIRouter:
    """Routes of the chat. A streamed turn whose client leaves goes on for `resume_grace` seconds."""
    router = APIRouter(tags=["chat"], route_class=StrictJsonRoute)

    @router.post(
        "/apis/v1/{tenantId}/chat/{conversationId}/message",
        response_model=AssistantMessage,
        responses={200: _STREAM_CONTENT, **_ERRORS},
        summary="Take one turn of a conversation",
    )
    async def post_message(
        request: Request,
        tenant: TenantId,
        conversation: ConversationId,
        body: Conversation,
        turn: Annotated[Identifier, Header(alias="x-turn-id", description="Names the turn; posting it again is safe.")],
        subset: Annotated[Identifier | None, Header(alias="x-subset", description="Subset; `stable` if unset.")] = None,
        last_event_id: LastEventId = -1,
    ) -> Response:
        """Answers with the agent's message, or streams the turn's events when the client accepts `text/event-stream`.

        A turn is identified by tenant, conversation and `x-turn-id`: an equal post returns the same answer without
        asking the agent again; a failed turn runs again.
        """
        question = body.to_turn(tenant, conversation, turn, subset)
        if _EVENT_STREAM in request.headers.get("accept", ""):
            return await _stream(runtime.handle(question, after=last_event_id, grace=resume_grace))
        return await _answer(request, runtime.handle(question))

    @router.get(
        "/apis/v1/{tenantId}/chat/{conversationId}/turns/{turnId}/events",
        response_class=StreamingResponse,
        responses={200: _STREAM_CONTENT, 400: _ERRORS[400], 404: {"model": ErrorBody, "description": "No such turn."}},
        summary="Read or resume the events of a turn",
    )
    async def get_events(
        tenant: TenantId,
        conversation: ConversationId,
        turn: Annotated[Identifier, Path(alias="turnId")],
        last_event_id: LastEventId = -1,
    ) -> Response:
        """The turn's events from the log, then live ones while it runs. Never starts or repeats a turn."""
        key = TurnKey(tenant, conversation, turn)
        if not await runtime.knows(key):
            body = ErrorBody(error_code="TURN_NOT_FOUND", message=f"conversation {conversation!r} has no turn {turn!r}")
            return JSONResponse(body.model_dump(by_alias=True), 404)
        return await _stream(runtime.follow(key, after=last_event_id, grace=resume_grace))

    return router


async def _answer(request: Request, events: AsyncGenerator[TurnEvent, None]) -> Response:
    """The whole answer, unless the client leaves first: then the turn is cancelled."""
    work = asyncio.ensure_future(_collect(events))
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise TurnCancelled("the client left")
        return Response(work.result().model_dump_json(by_alias=True), media_type="application/json")
    finally:
        gone.cancel()
        work.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _collect(events: AsyncGenerator[TurnEvent, None]) -> AssistantMessage:
    said: list[MessageCompleted] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, MessageCompleted):
                said.append(event)
            elif isinstance(event, TurnFailed):
                raise error_named(event.code, event.message)
    return AssistantMessage(
        content="\n\n".join(m.message.content for m in said),
        anonymization_entities=tuple(entity for m in said for entity in m.anonymization_entities),
    )


async def _stream(events: AsyncGenerator[TurnEvent, None]) -> Response:
    """Server-sent events. What fails before the first event is an ordinary error response."""
    try:
        first = await anext(events, None)
    except BaseException:
        await events.aclose()
        raise
    return StreamingResponse(_frames(first, events), media_type=_EVENT_STREAM, headers=_STREAM_HEADERS)


async def _frames(first: TurnEvent | None, events: AsyncGenerator[TurnEvent, None]) -> AsyncIterator[bytes]:
    """Ends with the turn's last event, or with an `error` frame, without id, when the log fails: then resume later."""
    try:
        async with aclosing(_event_frames(first, events)) as frames:
            async for frame in frames:
                yield frame
    except TurnError as error:
        yield _error_frame(error.code, str(error))
    except DatabaseError as error:
        _log.error(names.EVENT_STORAGE_FAILED, error=str(error))
        yield _error_frame(PlatformError.code, STORAGE_FAILED)


async def _event_frames(
    first: TurnEvent | None, events: AsyncGenerator[TurnEvent, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        event = first
        while event is not None:
            yield _frame(event)
            following = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait({following}, timeout=_KEEP_ALIVE_SECONDS))[0]:
                    yield b": keep-alive\n\n"
            finally:
                if not following.done():
                    following.cancel()
                    await asyncio.wait({following})
            event = following.result()


def _error_frame(code: str, message: str) -> bytes:
    body = ErrorBody(error_code=code, message=message)
    return f"event: error\ndata: {body.model_dump_json(by_alias=True)}\n\n".encode()


def _frame(event: TurnEvent) -> bytes:
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.model_dump_json(by_alias=True)}\n\n".encode()
