"""Between the vocabularies of a turn: agents and router to `TurnEvent`s, the log to a transcript. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lmos.conversation import events as ev
from lmos.conversation.exchange import AgentEvent, Answer, Delta, Intermediate, ToolCall
from lmos.conversation.messages import Message
from lmos.conversation.turn import TurnRequest
from lmos.router.base import Classification
from lmos.runtime.base import TurnSummary

__all__ = ["current_agent", "route_decided", "transcript", "turn_event"]


def turn_event(event: AgentEvent, agent: str) -> ev.TurnEvent:
    """What `agent` did, as an event of the turn."""
    match event:
        case Delta(text):
            return ev.TextDelta(agent=agent, text=text)
        case Intermediate(content):
            return ev.IntermediateMessage(agent=agent, content=content)
        case ToolCall(id, name, arguments):
            return ev.ToolCalled(agent=agent, call_id=id, tool=name, arguments=arguments)
        case Answer(message, status, context, entities):
            return ev.MessageCompleted(
                agent=agent, message=message, status=status, context=context, anonymization_entities=entities
            )
        case _:
            return ev.ToolReturned(
                agent=agent, call_id=event.id, tool=event.name, result=event.result, error=event.error
            )


def route_decided(decision: Classification, routing: str) -> ev.RouteDecided:
    """The router's decision over the agents of `routing`."""
    best = decision.candidates[0] if decision.candidates else None
    return ev.RouteDecided(
        outcome=decision.outcome,
        agents=decision.agents,
        capability=best.capability if best and decision.outcome == "match" else None,
        confidence=decision.confidence,
        strategy=decision.strategy,
        reason=decision.reason,
        candidates=decision.candidates,
        channel_routing=routing,
    )


def current_agent(earlier: Sequence[TurnSummary]) -> str | None:
    """The agent that answered last; turns in which the platform itself spoke do not change it."""
    return next((t.agent for t in reversed(earlier) if t.state == "completed" and t.agent is not None), None)


def transcript(request: TurnRequest, earlier: Sequence[TurnSummary]) -> tuple[Message, ...]:
    """The conversation that an agent sees.

    A caller sends the whole transcript, as ARC's clients do, or only the new message: then earlier turns of the same
    conversation come from the log.
    """
    if len(request.messages) > 1:
        return request.messages
    logged: list[Message] = []
    for turn in earlier:
        if turn.state == "completed":
            logged.append(Message(role="user", content=turn.query, turn_id=turn.turn))
            logged.append(Message(role="assistant", content=turn.answer or "", turn_id=turn.turn))
    return (*logged, *request.messages)
