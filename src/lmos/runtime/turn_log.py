"""`SqlTurnLog`: the turn log in SQL tables, embedded (SQLite) or shared.

The runtime claims turns and appends events here. What reaches the database together is written by three or four
statements whatever the number of turns, so the log costs a busy platform little. The log checks that a turn's events
are consecutive and keeps its summary; what a turn does is not its business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from lmos.conversation.events import (
    MessageCompleted,
    RouteDecided,
    TurnCompleted,
    TurnEvent,
    TurnFailed,
    TurnStarted,
    event_adapter,
)
from lmos.conversation.turn import TurnKey
from lmos.database.base import Connection
from lmos.database.engine import Database
from lmos.runtime import sql
from lmos.runtime.base import Begun, Known, LookUp, TurnLogError, TurnState, TurnSummary

__all__ = ["SqlTurnLog"]


@dataclass(frozen=True, slots=True)
class _Begin:
    key: TurnKey
    fingerprint: str
    started: TurnStarted


@dataclass(frozen=True, slots=True)
class _Append:
    key: TurnKey
    advance: dict[str, Any]
    """Parameters of `sql.advance_turns`."""
    rows: list[dict[str, Any]]
    """Parameters of `sql.insert_events`."""


_Operation: TypeAlias = _Begin | _Append


class SqlTurnLog:
    """A `TurnLog` over a `Database`, which the caller closes. Raises `DatabaseError` for a fault of the database."""

    def __init__(self, db: Database) -> None:
        db.require(sql.SCHEMA)
        self._db = db

    async def look_up(self, key: TurnKey, history: int) -> LookUp:
        """The turn and what came before it in its conversation, in one read."""
        found, rows = await self._db.read(
            lambda connection: (
                sql.select_turn(connection, key),
                sql.select_summaries(connection, key.tenant, key.conversation, history + 1),
            )
        )
        known = None if found is None else Known(found[0], cast("TurnState", found[1]), found[2], found[3])
        earlier = [summary for summary in _summaries(rows) if summary.turn != key.turn]
        return LookUp(known, tuple(earlier[-history:]) if history else ())

    def claim(self, key: TurnKey, fingerprint: str, started: TurnStarted) -> asyncio.Future[Begun]:
        """Claim a turn. A row that says `running` is an interrupted turn: it becomes another attempt."""
        return cast("asyncio.Future[Begun]", self._db.enqueue_batched(_record, _Begin(key, fingerprint, started)))

    async def append(self, key: TurnKey, events: Sequence[TurnEvent]) -> None:
        """Append and wait until it is durable. Raises `TurnLogError` for a `seq` out of order or a turn that ended."""
        await self.submit(key, events)

    def submit(self, key: TurnKey, events: Sequence[TurnEvent]) -> asyncio.Future[None]:
        """Append without waiting; errors come through the future, malformed `events` raise at once."""
        if not events:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        _check(key, events)
        operation = _Append(key, _advance(key, events), [_row(key, event) for event in events])
        return cast("asyncio.Future[None]", self._db.enqueue_batched(_record, operation))

    async def read(self, key: TurnKey, after: int = -1) -> list[TurnEvent]:
        """Events with `seq > after`, in order."""
        bodies = await self._db.read(lambda connection: sql.select_bodies(connection, key, after))
        return [event_adapter.validate_json(body) for body in bodies]

    async def conversation(self, tenant: str, conversation: str, limit: int = 50) -> list[TurnSummary]:
        """The newest `limit` turns in the order in which they first started."""
        rows = await self._db.read(lambda connection: sql.select_summaries(connection, tenant, conversation, limit))
        return _summaries(rows)


def _summaries(rows: Sequence[sql.SummaryRow]) -> list[TurnSummary]:
    return [
        TurnSummary(turn, cast("TurnState", state), agent, query, answer, capability, outcome)
        for turn, state, agent, query, answer, capability, outcome in reversed(rows)
    ]


def _record(connection: Connection, operations: Sequence[_Operation]) -> list[Begun | None]:
    """The work of all callers that wait, see `Database.enqueue_batched`."""
    results: list[Begun | None] = []
    for run in _runs(operations):
        begun, rows = _begin(connection, [op for op in run if isinstance(op, _Begin)])
        appends = [op for op in run if isinstance(op, _Append)]
        if appends:
            moved = sql.advance_turns(connection, [op.advance for op in appends])
            if moved != len(appends):
                raise _out_of_order(connection, appends)
            rows += [row for op in appends for row in op.rows]
        if rows:
            sql.insert_events(connection, rows)
        results += [begun[op.key] if isinstance(op, _Begin) else None for op in run]
    return results


def _runs(operations: Sequence[_Operation]) -> Iterator[list[_Operation]]:
    """Split so that in each run a `_Begin` is the first operation of its key: then all begins can go first."""
    run: list[_Operation] = []
    seen: set[TurnKey] = set()
    for operation in operations:
        if isinstance(operation, _Begin) and operation.key in seen:
            yield run
            run, seen = [], set()
        run.append(operation)
        seen.add(operation.key)
    yield run


def _begin(connection: Connection, claims: Sequence[_Begin]) -> tuple[dict[TurnKey, Begun], list[dict[str, Any]]]:
    """Decide each claim and write its turn; returns the answers and the rows of the `TurnStarted` events."""
    answers: dict[TurnKey, Begun] = {}
    new: list[dict[str, Any]] = []
    again: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for claim in claims:
        fingerprint, state, attempt, seq = sql.select_turn(connection, claim.key) or (claim.fingerprint, "new", 0, 0)
        if fingerprint != claim.fingerprint:
            answers[claim.key] = Begun("conflict", attempt, seq)
            continue
        if state == "completed":
            answers[claim.key] = Begun("completed", attempt, seq)
            continue
        begun = answers[claim.key] = Begun("started", attempt + 1, seq + 1)
        started = claim.started.model_copy(update={"seq": seq, "attempt": begun.attempt})
        rows.append(_row(claim.key, started))
        if state == "new":
            new.append(_new_turn(claim, begun))
        else:
            again.append(sql.keyed(claim.key) | {"to_attempt": begun.attempt, "to_next_seq": begun.next_seq})
    if new:
        sql.insert_turns(connection, new)
    if again:
        sql.restart_turns(connection, again)
    return answers, rows


def _new_turn(claim: _Begin, begun: Begun) -> dict[str, Any]:
    started = claim.started
    return claim.key._asdict() | {
        "fingerprint": claim.fingerprint,
        "state": "running",
        "attempt": begun.attempt,
        "next_seq": begun.next_seq,
        "query": started.message.content,
        "started_at": started.at.isoformat() if started.at else None,
    }


def _check(key: TurnKey, events: Sequence[TurnEvent]) -> None:
    first = events[0].seq
    if [event.seq for event in events] != list(range(first, first + len(events))) or first < 1:
        found = ", ".join(str(event.seq) for event in events)
        raise TurnLogError(f"{_named(key)}: events carry seq {found}; number them consecutively after TurnStarted")
    if any(isinstance(event, TurnStarted) for event in events):
        raise TurnLogError(f"{_named(key)}: TurnStarted cannot be appended; use claim")
    ends = [event.type for event in events[:-1] if isinstance(event, TurnCompleted | TurnFailed)]
    if ends:
        raise TurnLogError(f"{_named(key)}: {ends[0]} ends the turn; append nothing after it")


def _advance(key: TurnKey, events: Sequence[TurnEvent]) -> dict[str, Any]:
    """What `events` change in the turn's summary."""
    to = sql.keyed(key) | {
        "first_seq": events[0].seq,
        "to_next_seq": events[-1].seq + 1,
        "to_state": "running",
        "to_agent": None,
        "to_capability": None,
        "to_outcome": None,
        "to_answer": None,
        "to_ended_at": None,
    }
    for event in events:
        match event:
            case RouteDecided():
                to["to_agent"] = event.agents[0] if event.agents else None
                to["to_capability"] = event.capability
            case MessageCompleted():
                to["to_agent"] = event.agent or to["to_agent"]
                to["to_answer"] = event.message.content
            case TurnCompleted() | TurnFailed():
                completed = isinstance(event, TurnCompleted)
                to["to_state"] = "completed" if completed else "failed"
                to["to_outcome"] = event.outcome if isinstance(event, TurnCompleted) else None
                to["to_ended_at"] = event.at.isoformat() if event.at else None
            case _:
                pass
    return to


def _out_of_order(connection: Connection, appends: Sequence[_Append]) -> TurnLogError:
    """Why an append did not fit. Only for the caller at fault: a batch that fails runs again one by one."""
    key, first = appends[0].key, appends[0].advance["first_seq"]
    found = sql.select_turn(connection, key)
    if found is None:
        return TurnLogError(f"{_named(key)} was never begun; call claim first")
    _, state, attempt, next_seq = found
    if state != "running":
        return TurnLogError(f"{_named(key)} has {state} in attempt {attempt}; claim it again before appending")
    return TurnLogError(f"{_named(key)} expects seq {next_seq}, the events begin at {first}; append in order")


def _row(key: TurnKey, event: TurnEvent) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "conversation": key.conversation,
        "turn": key.turn,
        "seq": event.seq,
        "body": event.model_dump_json(by_alias=True),
    }


def _named(key: TurnKey) -> str:
    return f"turn {key.turn!r} of conversation {key.conversation!r} (tenant {key.tenant!r})"
