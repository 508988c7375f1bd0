"""`SqlTurnLog` on its file: crashes, restarts, order under load, and that revisions and tables agree."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmos.conversation.events import TextDelta, TurnEvent, TurnStarted
from lmos.conversation.messages import Message
from lmos.conversation.turn import TurnKey
from lmos.database.engine import Database
from lmos.database.migrations import version_table
from lmos.runtime import sql
from lmos.runtime.turn_log import SqlTurnLog

STARTED = TurnStarted(channel="web", user_id="u", message=Message(role="user", content="q"))

_WRITER = """
import asyncio, sys
from pathlib import Path
from lmos.conversation.events import TextDelta, TurnStarted
from lmos.conversation.messages import Message
from lmos.conversation.turn import TurnKey
from lmos.database.engine import Database
from lmos.runtime.turn_log import SqlTurnLog

async def turn(log, name):
    key = TurnKey("acme", "c", name)
    await log.claim(key, "f", TurnStarted(channel="web", user_id="u", message=Message(role="user", content="q")))
    for seq in range(1, 1_000_000):
        await log.append(key, [TextDelta(seq=seq, agent="a", text=name)])
        print(name, seq, flush=True)

async def main():
    log = SqlTurnLog(Database.open(Path(sys.argv[1])))
    await asyncio.gather(*[turn(log, name) for name in "abcd"])

asyncio.run(main())
"""


def delta(seq: int, text: str = "x") -> TurnEvent:
    return TextDelta(seq=seq, agent="a", text=text)


def test_what_was_shown_before_a_kill_is_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "lmos.db"
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    shown = [process.stdout.readline() for _ in range(random.randint(20, 300))]
    process.send_signal(signal.SIGKILL)
    shown += process.stdout.readlines()
    process.stdout.close()
    process.wait(10)

    async def check() -> None:
        db = Database.open(path)
        log = SqlTurnLog(db)
        logged = {name: await log.read(TurnKey("acme", "c", name)) for name in "abcd"}
        for line in shown:
            name, seq = line.split()
            assert logged[name][int(seq)] == delta(int(seq), name)
        for name, events in logged.items():
            assert [event.seq for event in events] == list(range(len(events)))
            begun = await log.claim(TurnKey("acme", "c", name), "f", STARTED)
            assert (begun.state, begun.attempt) == ("started", 2 if events else 1)
        await db.aclose()

    asyncio.run(check())


def test_a_log_opened_again_continues(tmp_path: Path) -> None:
    key = TurnKey("acme", "c", "t")

    async def first() -> None:
        db = Database.open(tmp_path / "lmos.db")
        log = SqlTurnLog(db)
        await log.claim(key, "f", STARTED)
        await log.append(key, [delta(1)])
        await db.aclose()

    async def second() -> list[int]:
        db = Database.open(tmp_path / "lmos.db")
        log = SqlTurnLog(db)
        begun = await log.claim(key, "f", STARTED)
        await log.append(key, [delta(begun.next_seq)])
        seqs = [event.seq for event in await log.read(key)]
        await db.aclose()
        return seqs

    asyncio.run(first())
    assert asyncio.run(second()) == [0, 1, 2, 3]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=40), data=st.data())
def test_each_turn_is_logged_in_order_however_turns_interleave(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    keys = [TurnKey("acme", "c", str(i)) for i in range(4)]
    pauses = data.draw(st.sets(st.integers(0, len(sizes) - 1)))

    async def run() -> None:
        db = Database.open(tmp_path_factory.mktemp("log") / "lmos.db", synchronous="normal")
        log = SqlTurnLog(db)
        written: list[list[str]] = [[] for _ in keys]
        await asyncio.gather(*[log.claim(key, "f", STARTED) for key in keys])
        waiting: list[asyncio.Future[None]] = []
        for step, (turn, count) in enumerate(sizes):
            texts = [f"{step}.{i}" for i in range(count)]
            first = len(written[turn]) + 1
            waiting.append(log.submit(keys[turn], [delta(first + i, text) for i, text in enumerate(texts)]))
            written[turn] += texts
            if step in pauses:
                await waiting[-1]
        await asyncio.gather(*waiting)
        for key, texts in zip(keys, written, strict=True):
            assert (await log.read(key))[1:] == [delta(i + 1, text) for i, text in enumerate(texts)]
        await db.aclose()

    asyncio.run(run())


def test_revisions_and_tables_agree(tmp_path: Path) -> None:
    db = Database.open(tmp_path / "lmos.db")

    async def differences() -> list[object]:
        SqlTurnLog(db)
        return await db.read(
            lambda connection: compare_metadata(
                MigrationContext.configure(connection, opts={"include_name": _is_ours}), sql.metadata
            )
        )

    assert asyncio.run(differences()) == []
    db.close()


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or name != version_table(sql.SCHEMA)
