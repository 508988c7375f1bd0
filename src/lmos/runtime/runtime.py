"""`Runtime`: a `TurnRequest` goes in, recorded `TurnEvent`s come out. Every surface calls it; none has its own logic.

One turn: claim it in the log, find the channel's route, classify, then ask the agent - or ask back, or decline.
Whatever goes wrong ends this turn with one `TurnFailed` and harms no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from lmos.clock import Clock
from lmos.conversation import events as ev
from lmos.conversation.errors import (
    AgentFailed,
    AgentNotFound,
    PlatformError,
    RoutingNotFound,
    TurnConflict,
    TurnError,
    TurnTimedOut,
)
from lmos.conversation.exchange import AgentRequest, Answer
from lmos.conversation.messages import Message
from lmos.conversation.turn import TurnKey, TurnRequest
from lmos.encoders.base import EncoderError
from lmos.resources.agent import STABLE
from lmos.router.base import Classification, ClassificationRequest, Classifier, ClassifierError, UnknownAgent
from lmos.router.clarifier import Clarifier
from lmos.router.clarify import decline
from lmos.runtime.base import AgentAddress, AgentClient, TurnLog, TurnSummary
from lmos.runtime.flight import Flight
from lmos.runtime.routes import Route, Routes
from lmos.runtime.translate import current_agent, route_decided, transcript, turn_event
from lmos.telemetry import metrics, names
from lmos.telemetry.logs import logger
from lmos.telemetry.spans import tracer

__all__ = ["Runtime"]

_log = logger("runtime")
_HISTORY_TURNS = 20
"""How many earlier turns are read: for the current agent, and as transcript when the caller sends none."""


@dataclass(slots=True)
class _Turn:
    """What one attempt needs at hand."""

    request: TurnRequest
    flight: Flight
    earlier: Sequence[TurnSummary]
    started_at: float
    outcome: str = ""
    routed: bool = False

    def record(self, *events: ev.TurnEvent) -> None:
        self.flight.recorder.record(*events)


class Runtime:
    """Handles turns. `clients` maps an endpoint's protocol to its client; `deadline` is in seconds."""

    def __init__(
        self,
        *,
        log: TurnLog,
        routes: Routes,
        classifier: Classifier,
        clarifier: Clarifier,
        clients: Mapping[str, AgentClient],
        clock: Clock,
        deadline: float = 60.0,
    ) -> None:
        self._log = log
        self._routes = routes
        self._classifier = classifier
        self._clarifier = clarifier
        self._clients = clients
        self._clock = clock
        self._deadline = deadline
        self._flights: dict[TurnKey, Flight] = {}

    @property
    def routes(self) -> Routes:
        return self._routes

    async def handle(
        self, request: TurnRequest, *, after: int = -1, grace: float = 0.0
    ) -> AsyncGenerator[ev.TurnEvent, None]:
        """Run, join or replay the turn; yield its events with `seq > after`, each once it is durable.

        Equal requests share one turn; a completed one is replayed, a failed or interrupted one runs again. The last
        event is `TurnCompleted` or `TurnFailed`. Closing the iterator cancels the turn `grace` seconds later unless
        somebody else reads it. Raises `TurnConflict` when the turn id was used with another body.
        """
        flight = self._flights.get(request.key)
        fingerprint = request.fingerprint()
        if flight is None:
            flight = Flight(request.key, fingerprint, self._log, self._clock)
            self._flights[request.key] = flight
            flight.start(lambda f: self._attempt(request, f), self._landed)
        elif flight.fingerprint != fingerprint:
            raise TurnConflict(f"turn {request.turn_id!r} is running with another body; use a new turn id")
        async with aclosing(flight.events(after, grace)) as events:
            async for event in events:
                yield event

    async def knows(self, key: TurnKey) -> bool:
        """Whether the turn runs or is in the log."""
        return key in self._flights or bool(await self._log.read(key))

    async def follow(self, key: TurnKey, *, after: int = -1, grace: float = 0.0) -> AsyncGenerator[ev.TurnEvent, None]:
        """Events of a known turn with `seq > after`, of all attempts: the log's, then live ones while it runs.

        Never starts a turn; leaving one that runs is as leaving `handle`.
        """
        flight = self._flights.get(key)
        if flight is not None:
            async with aclosing(flight.events(after, grace, whole=True)) as events:
                async for event in events:
                    yield event
            return
        for event in await self._log.read(key, after):
            yield event

    async def stop_turns(self) -> None:
        """Cancel running turns and record their end, which their readers still get."""
        error = PlatformError("the platform is stopping; post the turn again")
        await asyncio.gather(*(flight.cancel(error) for flight in list(self._flights.values())))

    async def aclose(self) -> None:
        """Cancel running turns, record their end, close the clients."""
        await self.stop_turns()
        for client in self._clients.values():
            await client.aclose()

    def _landed(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    async def _attempt(self, request: TurnRequest, flight: Flight) -> None:
        """Run the turn. Raises `TurnError` when it cannot be claimed or recorded: then nothing of it is shown."""
        try:
            await self._claimed(request, flight)
        except TurnError:
            raise
        except Exception as error:  # the border to the log's storage, of whatever kind it is
            _log.error(names.EVENT_TURN_NOT_RECORDED, error=str(error), kind=type(error).__name__, **_labels(request))
            raise PlatformError("the turn could not be recorded; post it again later") from error

    async def _claimed(self, request: TurnRequest, flight: Flight) -> None:
        started = ev.TurnStarted(
            at=self._clock.now(),
            channel=request.channel,
            subset=request.subset,
            user_id=request.user.id,
            message=request.messages[-1],
            explicit_agent=request.explicit_agent,
        )
        began = self._clock.monotonic()
        earlier = await flight.begin(started, _HISTORY_TURNS)
        if earlier is None:
            return
        turn = _Turn(request, flight, earlier, began)
        metrics.RUNNING_TURNS.inc()
        with tracer.start_as_current_span(names.SPAN_TURN) as span:
            span.set_attributes(
                {
                    names.TENANT: request.tenant,
                    names.CHANNEL: request.channel,
                    names.CONVERSATION_ID: request.conversation_id,
                    names.TURN_ID: request.turn_id,
                    names.TURN_ATTEMPT: flight.attempt,
                }
            )
            try:
                await self._with_deadline(turn)
            except TurnError as error:
                self._fail(turn, error)
                span.set_attribute(names.ERROR_CODE, error.code)
            except asyncio.CancelledError:
                self._fail(turn, flight.cancelled_as)
                await asyncio.shield(flight.recorder.flush())
                raise
            except Exception as error:  # the border of a turn: our fault, shown as such, logged whole
                if error is flight.recorder.error:
                    raise
                _log.exception(names.EVENT_TURN_CRASHED, **_labels(request))
                self._end(turn, PlatformError(f"the platform failed ({type(error).__name__}); see its log"))
            finally:
                metrics.RUNNING_TURNS.dec()
                self._measure(turn)
            span.set_attribute(names.TURN_OUTCOME, turn.outcome)
        await flight.recorder.flush()

    async def _with_deadline(self, turn: _Turn) -> None:
        limit = asyncio.timeout(self._deadline)
        try:
            async with limit:
                await self._play(turn)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TurnTimedOut(f"no answer within {self._deadline:g} s") from error

    async def _play(self, turn: _Turn) -> None:
        request = turn.request
        route = await self._routes.find(request.tenant, request.channel, request.subset or STABLE)
        if route is None:
            raise self._not_found(request)
        turn.routed = True
        messages = transcript(request, turn.earlier)
        question = self._question(turn, route, messages)
        decision = await self._classify(question)
        turn.record(route_decided(decision, route.name))
        if decision.outcome == "match":
            for agent in decision.agents:
                await self._ask(turn, route, agent, messages)
            self._complete(turn, "answered")
        elif decision.outcome == "ambiguous":
            asked = await self._clarifier.ask(question, decision)
            turn.record(ev.ClarificationAsked(question=asked.question, topics=asked.topics))
            self._say(turn, asked.question)
            self._complete(turn, "clarified")
        else:
            self._say(turn, decline(route.roster, request.query))
            self._complete(turn, "declined")

    def _not_found(self, request: TurnRequest) -> RoutingNotFound:
        others = self._routes.subsets(request.tenant, request.channel)
        hint = f"; it exists in subset {', '.join(others)}" if others else "; see `lmos get channels`"
        subset = request.subset or STABLE
        return RoutingNotFound(
            f"no routing for channel {request.channel!r} of tenant {request.tenant!r} in subset {subset!r}{hint}"
        )

    def _question(self, turn: _Turn, route: Route, messages: tuple[Message, ...]) -> ClassificationRequest:
        request = turn.request
        return ClassificationRequest(
            query=request.query,
            roster=route.roster,
            history=messages[:-1],
            current_agent=current_agent(turn.earlier),
            explicit_agent=request.explicit_agent,
            tenant=request.tenant,
            channel=request.channel,
            subset=route.subset,
            rules=route.routing.spec.routing_rules,
        )

    async def _classify(self, question: ClassificationRequest) -> Classification:
        begin = self._clock.monotonic()
        with tracer.start_as_current_span(names.SPAN_ROUTE) as span:
            try:
                decision = await self._classifier.classify(question)
            except UnknownAgent as error:
                raise AgentNotFound(str(error)) from error
            except (ClassifierError, EncoderError) as error:
                raise PlatformError("the router failed; see the platform's log") from error
            span.set_attributes(
                {
                    names.ROUTE_OUTCOME: decision.outcome,
                    names.ROUTE_STRATEGY: decision.strategy,
                    names.ROUTE_CONFIDENCE: decision.confidence,
                }
            )
        metrics.ROUTE_SECONDS.labels(decision.strategy).observe(self._clock.monotonic() - begin)
        return decision

    async def _ask(self, turn: _Turn, route: Route, agent: str, messages: tuple[Message, ...]) -> None:
        address = route.addresses.get(agent)
        if address is None:
            raise AgentNotFound(f"agent {agent!r} has no address in channel routing {route.name!r}")
        protocol = address.endpoint.protocol if address.endpoint else "arc"
        client = self._clients.get(protocol)
        if client is None:
            known = ", ".join(sorted(self._clients))
            raise AgentFailed(f"agent {agent!r} speaks {protocol!r}, which this runtime does not; it speaks {known}")
        where = (address.endpoint.url if address.endpoint else None) or address.host
        turn.record(
            ev.AgentCalled(
                agent=agent, protocol=protocol, address="" if protocol == "local" else where, version=address.version
            )
        )
        begin = self._clock.monotonic()
        result = "error"
        with tracer.start_as_current_span(f"{names.SPAN_ASK} {agent}") as span:
            span.set_attributes(
                {names.OPERATION: names.SPAN_ASK, names.AGENT_NAME: agent, names.AGENT_PROTOCOL: protocol}
            )
            try:
                await self._relay(turn, client, address, messages)
                result = "ok"
            except AgentFailed as error:
                raise AgentFailed(f"agent {agent!r} {error.summary}") from error
            finally:
                metrics.ASK_SECONDS.labels(agent, protocol, result).observe(self._clock.monotonic() - begin)

    async def _relay(
        self, turn: _Turn, client: AgentClient, address: AgentAddress, messages: tuple[Message, ...]
    ) -> None:
        request = turn.request
        question = AgentRequest(
            conversation_id=request.conversation_id,
            messages=messages,
            user=request.user,
            turn_id=request.turn_id,
            tenant=request.tenant,
            channel=request.channel,
            subset=address.subset,
            params=request.params,
            anonymization_entities=request.anonymization_entities,
        )
        answered = False
        async with aclosing(client.ask(address, question)) as answers:
            async for event in answers:
                turn.record(turn_event(event, address.agent))
                answered = answered or isinstance(event, Answer)
        if not answered:
            raise AgentFailed(f"agent {address.agent!r} ended without an answer", summary="ended without an answer")

    def _say(self, turn: _Turn, text: str) -> None:
        turn.record(ev.MessageCompleted(message=Message(role="assistant", content=text, turn_id=turn.request.turn_id)))

    def _complete(self, turn: _Turn, outcome: ev.TurnOutcome) -> None:
        turn.outcome = outcome
        turn.record(ev.TurnCompleted(outcome=outcome, duration=self._clock.monotonic() - turn.started_at))

    def _fail(self, turn: _Turn, error: TurnError) -> None:
        cause = {} if error.__cause__ is None else {"cause": str(error.__cause__) or type(error.__cause__).__name__}
        _log.warning(names.EVENT_TURN_FAILED, code=error.code, error=str(error), **cause, **_labels(turn.request))
        self._end(turn, error)

    def _end(self, turn: _Turn, error: TurnError) -> None:
        turn.outcome = error.code
        duration = self._clock.monotonic() - turn.started_at
        turn.record(ev.TurnFailed(code=error.code, message=str(error), duration=duration))

    def _measure(self, turn: _Turn) -> None:
        # What a caller may invent is no label: unknown channels share one.
        tenant, channel = (turn.request.tenant, turn.request.channel) if turn.routed else ("", "")
        metrics.TURNS.labels(tenant, channel, turn.outcome).inc()
        metrics.TURN_SECONDS.labels(tenant, channel).observe(self._clock.monotonic() - turn.started_at)


def _labels(request: TurnRequest) -> dict[str, str]:
    return {
        "tenant": request.tenant,
        "channel": request.channel,
        "conversation": request.conversation_id,
        "turn": request.turn_id,
    }
