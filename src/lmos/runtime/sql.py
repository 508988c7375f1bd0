"""Tables and statements of the turn log. `turn_log.py` decides what is written; this module writes and reads it.

`turns` has one row a turn, a summary that can be derived from its events; `events` is the record itself. Each function
takes many rows where the turn log has many: one statement for a whole batch of turns is what makes it fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    select,
    update,
)

from lmos.conversation.turn import TurnKey
from lmos.database.base import Schema
from lmos.database.prepared import Prepared

__all__ = [
    "SCHEMA",
    "advance_turns",
    "insert_events",
    "insert_turns",
    "keyed",
    "metadata",
    "restart_turns",
    "select_bodies",
    "select_summaries",
    "select_turn",
]

SCHEMA: Final = Schema(room="runtime", head="runtime_0001", versions=Path(__file__).parent / "revisions")

metadata = MetaData()

_turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),  # order of first starts
    Column("tenant", String, nullable=False),
    Column("conversation", String, nullable=False),
    Column("turn", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("next_seq", Integer, nullable=False),
    Column("agent", String),
    Column("capability", String),
    Column("outcome", String),
    Column("query", Text, nullable=False),
    Column("answer", Text),
    Column("started_at", String),  # RFC 3339, of the first attempt
    Column("ended_at", String),
    UniqueConstraint("tenant", "conversation", "turn", name="uq_turns_key"),
    Index("ix_turns_conversation", "tenant", "conversation", "id"),
)

_events = Table(
    "events",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("conversation", String, primary_key=True),
    Column("turn", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Statements are on the path of every turn: compiled once, run by the driver. Names that start with `k_` are keys.
_t, _e = _turns.c, _events.c
_this_turn = _t.tenant == bindparam("k_tenant")
_this_turn &= _t.conversation == bindparam("k_conversation")
_this_turn &= _t.turn == bindparam("k_turn")

_SELECT_TURN = Prepared(select(_t.fingerprint, _t.state, _t.attempt, _t.next_seq).where(_this_turn))
_INSERT_TURNS = Prepared(
    insert(_turns),
    ("tenant", "conversation", "turn", "fingerprint", "state", "attempt", "next_seq", "query", "started_at"),
)
_INSERT_EVENTS = Prepared(insert(_events), ("tenant", "conversation", "turn", "seq", "body"))
_RESTART_TURNS = Prepared(
    update(_turns)
    .where(_this_turn)
    .values(
        state="running",
        attempt=bindparam("to_attempt"),
        next_seq=bindparam("to_next_seq"),
        agent=None,
        capability=None,
        outcome=None,
        answer=None,
        ended_at=None,
    )
)
_ADVANCE_TURNS = Prepared(
    update(_turns)
    .where(_this_turn, _t.state == "running", _t.next_seq == bindparam("first_seq"))
    .values(
        next_seq=bindparam("to_next_seq"),
        state=bindparam("to_state"),
        agent=func.coalesce(bindparam("to_agent", type_=String), _t.agent),
        capability=func.coalesce(bindparam("to_capability", type_=String), _t.capability),
        outcome=func.coalesce(bindparam("to_outcome", type_=String), _t.outcome),
        answer=func.coalesce(bindparam("to_answer", type_=String), _t.answer),
        ended_at=bindparam("to_ended_at"),
    )
)
_SELECT_BODIES = Prepared(
    select(_e.body)
    .where(
        _e.tenant == bindparam("k_tenant"),
        _e.conversation == bindparam("k_conversation"),
        _e.turn == bindparam("k_turn"),
        _e.seq > bindparam("after"),
    )
    .order_by(_e.seq)
)
_SELECT_SUMMARIES = Prepared(
    select(_t.turn, _t.state, _t.agent, _t.query, _t.answer, _t.capability, _t.outcome)
    .where(_t.tenant == bindparam("k_tenant"), _t.conversation == bindparam("k_conversation"))
    .order_by(_t.id.desc())
    .limit(bindparam("most"))
)


SummaryRow = tuple[str, str, str | None, str, str | None, str | None, str | None]
"""Turn, state, agent, query, answer, capability, outcome."""


def select_turn(connection: Connection, key: TurnKey) -> tuple[str, str, int, int] | None:
    """Fingerprint, state, attempt and next seq of a turn. One by one: SQLite scans the table for a list of keys."""
    found = _SELECT_TURN.fetch(connection, keyed(key))
    return None if not found else (found[0][0], found[0][1], found[0][2], found[0][3])


def insert_turns(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """New turns; a row has every column but `id` and those that events fill."""
    _INSERT_TURNS.run(connection, rows)


def restart_turns(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Another attempt: `k_*`, `to_attempt`, `to_next_seq`. What the earlier attempt found is forgotten."""
    _RESTART_TURNS.run(connection, rows)


def advance_turns(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Move turns that run and expect `first_seq`; returns how many did. `None` in `to_*` keeps what is known."""
    return _ADVANCE_TURNS.run(connection, rows)


def insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Events as JSON `body`, keyed by turn and `seq`."""
    _INSERT_EVENTS.run(connection, rows)


def select_bodies(connection: Connection, key: TurnKey, after: int) -> list[str]:
    """JSON of the events with `seq > after`, in order."""
    return [body for (body,) in _SELECT_BODIES.fetch(connection, {**keyed(key), "after": after})]


def select_summaries(connection: Connection, tenant: str, conversation: str, limit: int) -> list[SummaryRow]:
    """The newest `limit` turns, newest first."""
    keys = {"k_tenant": tenant, "k_conversation": conversation, "most": limit}
    return cast("list[SummaryRow]", _SELECT_SUMMARIES.fetch(connection, keys))


def keyed(key: TurnKey) -> dict[str, Any]:
    """The parameters that name a turn in a statement."""
    return {"k_tenant": key.tenant, "k_conversation": key.conversation, "k_turn": key.turn}
