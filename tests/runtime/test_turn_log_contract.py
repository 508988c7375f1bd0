"""What every `TurnLog` must do, run against each variant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lmos.conversation import events as ev
from lmos.conversation.messages import Message
from lmos.conversation.turn import TurnKey
from lmos.database.engine import Database
from lmos.runtime.base import Begun, TurnLog, TurnLogError, TurnSummary
from lmos.runtime.turn_log import SqlTurnLog

pytestmark = pytest.mark.anyio

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
KEY = TurnKey("acme", "c1", "t1")


@pytest.fixture(params=["sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TurnLog]:
    assert request.param == "sqlite"
    db = Database.open(tmp_path / "lmos.db", synchronous="normal")
    yield SqlTurnLog(db)
    db.close()


def started(text: str = "how much is my bill?") -> ev.TurnStarted:
    return ev.TurnStarted(at=AT, channel="web", user_id="u1", message=Message(role="user", content=text))


def routed(seq: int, *agents: str, capability: str | None = None) -> ev.RouteDecided:
    return ev.RouteDecided(
        seq=seq,
        at=AT,
        outcome="match" if agents else "out_of_scope",
        agents=agents,
        capability=capability,
        confidence=0.9,
        strategy="vector",
        reason="near",
    )


def answered(seq: int, text: str, agent: str | None = "billing") -> ev.MessageCompleted:
    return ev.MessageCompleted(seq=seq, at=AT, agent=agent, message=Message(role="assistant", content=text))


def completed(seq: int, outcome: ev.TurnOutcome = "answered") -> ev.TurnCompleted:
    return ev.TurnCompleted(seq=seq, at=AT, outcome=outcome, duration=0.1)


def failed(seq: int) -> ev.TurnFailed:
    return ev.TurnFailed(seq=seq, at=AT, code="AGENT_FAILED", message="gone", duration=0.1)


def delta(seq: int, text: str = "x") -> ev.TextDelta:
    return ev.TextDelta(seq=seq, at=AT, agent="billing", text=text)


async def play(log: TurnLog, key: TurnKey, query: str, answer: str) -> None:
    await log.claim(key, "f", started(query))
    await log.append(key, [routed(1, "billing", capability="bills"), answered(2, answer), completed(3)])


async def test_a_new_turn_is_started_and_its_first_event_recorded(log: TurnLog) -> None:
    assert await log.claim(KEY, "f", started()) == Begun("started", attempt=1, next_seq=1)
    assert await log.read(KEY) == [started().model_copy(update={"seq": 0, "attempt": 1})]


async def test_events_come_back_as_they_were_appended(log: TurnLog) -> None:
    events: list[ev.TurnEvent] = [
        routed(1, "billing", capability="bills"),
        ev.AgentCalled(seq=2, at=AT, agent="billing", protocol="arc", address="http://b"),
        ev.ToolCalled(seq=3, at=AT, agent="billing", call_id="1", tool="bill", arguments={"months": [1, 2], "ä": None}),
        ev.ToolReturned(seq=4, at=AT, agent="billing", call_id="1", tool="bill", error="none"),
        delta(5, "12 €"),
        answered(6, "12 €"),
        completed(7),
    ]
    await log.claim(KEY, "f", started())
    await log.append(KEY, events[:3])
    await log.append(KEY, events[3:])
    assert (await log.read(KEY))[1:] == events


async def test_reading_after_a_seq_skips_what_came_before(log: TurnLog) -> None:
    await log.claim(KEY, "f", started())
    await log.append(KEY, [delta(1), delta(2), delta(3)])
    assert await log.read(KEY, after=1) == [delta(2), delta(3)]


async def test_an_unknown_turn_reads_as_empty(log: TurnLog) -> None:
    assert await log.read(KEY) == []


async def test_a_completed_turn_is_not_claimed_again(log: TurnLog) -> None:
    await play(log, KEY, "q", "a")
    assert await log.claim(KEY, "f", started()) == Begun("completed", attempt=1, next_seq=4)
    assert len(await log.read(KEY)) == 4


@pytest.mark.parametrize("end", [[failed(1)], []], ids=["failed", "interrupted"])
async def test_an_attempt_that_did_not_complete_is_followed_by_another(log: TurnLog, end: list[ev.TurnEvent]) -> None:
    await log.claim(KEY, "f", started())
    await log.append(KEY, end)
    seq = 1 + len(end)
    assert await log.claim(KEY, "f", started()) == Begun("started", attempt=2, next_seq=seq + 1)
    again = (await log.read(KEY))[-1]
    assert again == started().model_copy(update={"seq": seq, "attempt": 2})
    await log.append(KEY, [completed(seq + 1)])


@pytest.mark.parametrize("end", [[completed(1)], [failed(1)], []], ids=["completed", "failed", "interrupted"])
async def test_another_fingerprint_is_a_conflict_in_every_state(log: TurnLog, end: list[ev.TurnEvent]) -> None:
    await log.claim(KEY, "f", started())
    await log.append(KEY, end)
    assert (await log.claim(KEY, "g", started("other"))).state == "conflict"
    assert len(await log.read(KEY)) == 1 + len(end)


async def test_claims_and_appends_that_wait_together_keep_their_order(log: TurnLog) -> None:
    await log.claim(KEY, "f", started())
    waiting = [log.submit(KEY, [delta(1)]), log.submit(KEY, [failed(2)])]
    again = await log.claim(KEY, "f", started())
    await asyncio.gather(*waiting)
    assert again == Begun("started", attempt=2, next_seq=4)


async def test_submitted_events_are_recorded_in_order(log: TurnLog) -> None:
    await log.claim(KEY, "f", started())
    await asyncio.gather(*[log.submit(KEY, [delta(seq)]) for seq in range(1, 400)])
    assert [event.seq for event in await log.read(KEY)] == list(range(400))


async def test_appending_nothing_changes_nothing(log: TurnLog) -> None:
    await log.claim(KEY, "f", started())
    await log.append(KEY, [])
    assert len(await log.read(KEY)) == 1


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([delta(2)], "expects seq 1, the events begin at 2"),
        ([delta(1), delta(3)], "events carry seq 1, 3; number them consecutively"),
        ([delta(-1)], "events carry seq -1"),
        ([completed(1), delta(2)], "TurnCompleted ends the turn"),
        ([failed(1), delta(2)], "TurnFailed ends the turn"),
        ([started().model_copy(update={"seq": 1})], "use claim"),
    ],
    ids=["gap to the log", "gap inside", "no seq", "after completion", "after failure", "second start"],
)
async def test_events_that_do_not_fit_are_refused(log: TurnLog, events: list[ev.TurnEvent], message: str) -> None:
    await log.claim(KEY, "f", started())
    with pytest.raises(TurnLogError, match=message):
        await log.append(KEY, events)
    assert len(await log.read(KEY)) == 1


async def test_events_are_not_recorded_twice(log: TurnLog) -> None:
    await log.claim(KEY, "f", started())
    await log.append(KEY, [delta(1)])
    with pytest.raises(TurnLogError, match="expects seq 2, the events begin at 1"):
        await log.append(KEY, [delta(1)])


@pytest.mark.parametrize(("end", "state"), [(completed(1), "completed"), (failed(1), "failed")], ids=["done", "failed"])
async def test_a_turn_that_ended_takes_no_more_events(log: TurnLog, end: ev.TurnEvent, state: str) -> None:
    await log.claim(KEY, "f", started())
    await log.append(KEY, [end])
    with pytest.raises(TurnLogError, match=f"has {state} in attempt 1; claim it again"):
        await log.append(KEY, [delta(2)])


async def test_a_turn_that_never_began_takes_no_events(log: TurnLog) -> None:
    with pytest.raises(TurnLogError, match="was never begun"):
        await log.append(KEY, [delta(1)])


async def test_an_append_that_does_not_fit_harms_no_other_turn(log: TurnLog) -> None:
    keys = [TurnKey("acme", "c1", f"t{i}") for i in range(20)]
    await asyncio.gather(*[log.claim(key, "f", started()) for key in keys])
    waiting = [log.submit(key, [delta(1 if i != 7 else 5), delta(2 if i != 7 else 6)]) for i, key in enumerate(keys)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [i for i, outcome in enumerate(outcomes) if isinstance(outcome, TurnLogError)] == [7]
    assert [len(await log.read(key)) for key in keys] == [3] * 7 + [1] + [3] * 12


async def test_history_has_the_newest_turns_oldest_first(log: TurnLog) -> None:
    for i in range(5):
        await play(log, TurnKey("acme", "c1", f"t{9 - i}"), f"q{i}", f"a{i}")
    history = await log.conversation("acme", "c1", limit=3)
    assert [(turn.query, turn.answer) for turn in history] == [("q2", "a2"), ("q3", "a3"), ("q4", "a4")]


async def test_a_turn_that_runs_again_keeps_its_place_in_history(log: TurnLog) -> None:
    first, second = TurnKey("acme", "c1", "t1"), TurnKey("acme", "c1", "t2")
    await log.claim(first, "f", started("one"))
    await log.append(first, [failed(1)])
    await play(log, second, "two", "2")
    late = started("one").model_copy(update={"at": AT + timedelta(hours=1)})
    await log.claim(first, "f", late)
    assert [turn.query for turn in await log.conversation("acme", "c1")] == ["one", "two"]


async def test_a_summary_follows_the_events(log: TurnLog) -> None:
    async def summary() -> TurnSummary:
        (turn,) = await log.conversation("acme", "c1")
        return turn

    await log.claim(KEY, "f", started("q"))
    assert await summary() == TurnSummary("t1", "running", None, "q", None)
    await log.append(KEY, [routed(1, "billing", "contract", capability="bills")])
    assert await summary() == TurnSummary("t1", "running", "billing", "q", None, "bills")
    await log.append(KEY, [delta(2), answered(3, "a", agent="contract")])
    assert await summary() == TurnSummary("t1", "running", "contract", "q", "a", "bills")
    await log.append(KEY, [completed(4)])
    assert await summary() == TurnSummary("t1", "completed", "contract", "q", "a", "bills", "answered")


async def test_a_turn_in_which_the_platform_speaks_has_no_agent(log: TurnLog) -> None:
    await log.claim(KEY, "f", started("q"))
    await log.append(KEY, [routed(1), answered(2, "sorry", agent=None), completed(3, "declined")])
    assert await log.conversation("acme", "c1") == [
        TurnSummary("t1", "completed", None, "q", "sorry", None, "declined")
    ]


async def test_another_attempt_forgets_what_the_failed_one_found(log: TurnLog) -> None:
    await log.claim(KEY, "f", started("q"))
    await log.append(KEY, [routed(1, "billing", capability="bills"), answered(2, "half"), failed(3)])
    await log.claim(KEY, "f", started("q"))
    assert await log.conversation("acme", "c1") == [TurnSummary("t1", "running", None, "q", None)]


async def test_tenants_never_see_each_other(log: TurnLog) -> None:
    acme, globex = TurnKey("acme", "c1", "t1"), TurnKey("globex", "c1", "t1")
    await play(log, acme, "secret of acme", "a")
    assert await log.read(globex) == []
    assert await log.conversation("globex", "c1") == []
    assert await log.claim(globex, "g", started("of globex")) == Begun("started", attempt=1, next_seq=1)
    await log.append(globex, [failed(1)])
    assert [turn.query for turn in await log.conversation("acme", "c1")] == ["secret of acme"]
    assert [event.type for event in await log.read(globex)] == ["TurnStarted", "TurnFailed"]


async def test_conversations_of_a_tenant_are_apart(log: TurnLog) -> None:
    await play(log, TurnKey("acme", "c1", "t1"), "one", "1")
    await play(log, TurnKey("acme", "c2", "t1"), "two", "2")
    assert [turn.query for turn in await log.conversation("acme", "c2")] == ["two"]
