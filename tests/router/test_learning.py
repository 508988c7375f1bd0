"""Lessons: kept by digest, live at once after a change, and the same whatever was there before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from lmos.encoders.base import EncoderError, Vectors
from lmos.encoders.registry import encoder_named
from lmos.router.base import Roster, RosterAgent, RosterCapability
from lmos.router.cascade import Cascade
from lmos.router.learning import Learner
from tests.router.rosters import ACME, BILLING, CONTRACT

pytestmark = pytest.mark.anyio

SHOP = RosterAgent(
    "shop",
    description="Sells phones and accessories.",
    capabilities=(RosterCapability("buy", examples=("I want a new phone", "order a phone case", "sell me a charger")),),
)
GROWN = Roster((*ACME.agents, SHOP))
QUERIES = ("please cancel my plan", "a charger for my phone", "my invoice is wrong", "what's the weather on Mars")


async def scores(cascade: Cascade, roster: Roster) -> list[float]:
    found: list[float] = []
    for query in QUERIES:
        judged = await cascade.judge(roster, query)
        found += [*judged.judgement.agents.tolist(), judged.judgement.scope]
    return found


async def test_a_roster_is_learnt_once() -> None:
    learner = Learner([encoder_named("static")])
    assert await learner.lesson(ACME) is await learner.lesson(Roster(ACME.agents[::-1]))


async def test_an_added_agent_is_live_before_its_calibration_is() -> None:
    cascade = Cascade([encoder_named("static")])
    await cascade.learner.lesson(ACME)
    judged = await cascade.judge(GROWN, "a charger for my phone")
    assert judged.lesson.provisional
    assert judged.lesson.training.agents[int(judged.judgement.agents.argmax())] == "shop"


async def test_adding_and_removing_an_agent_restores_every_score() -> None:
    cascade = Cascade([encoder_named("static")])
    before = await scores(cascade, ACME)
    await cascade.learner.settled(GROWN)
    small = Learner([encoder_named("static")], most_rosters=1)
    await small.settled(GROWN)
    await small.settled(ACME)
    fresh = Cascade([encoder_named("static")])
    fresh.learner = small
    assert await scores(fresh, ACME) == pytest.approx(before, abs=1e-6)


async def test_what_a_roster_teaches_does_not_depend_on_what_was_there_before() -> None:
    grown, fresh = Cascade([encoder_named("static")]), Cascade([encoder_named("static")])
    await grown.learner.settled(ACME)
    await grown.learner.settled(GROWN)
    assert await scores(grown, GROWN) == pytest.approx(await scores(fresh, GROWN), abs=1e-6)


async def test_the_least_recently_used_roster_is_forgotten_first() -> None:
    learner = Learner([encoder_named("static")], most_rosters=2)
    first = await learner.lesson(Roster((BILLING,)))
    await learner.lesson(Roster((SHOP,)))
    await learner.lesson(Roster((CONTRACT,)))
    assert await learner.lesson(Roster((BILLING,))) is not first


async def test_the_first_answer_about_a_long_roster_does_not_wait_for_all_of_it() -> None:
    topics = {"billing": "the bill of week", "contract": "the tariff with number", "support": "the router of model"}
    long = Roster(
        tuple(
            RosterAgent(name, capabilities=(RosterCapability("c", examples=tuple(_numbered(text, 700))),))
            for name, text in topics.items()
        )
    )
    learner = Learner([encoder_named("static")])
    first = await learner.lesson(long)
    assert first.provisional
    assert len(first.training.texts) < 40
    assert len(first.exact) == 2100
    assert len((await learner.settled(long)).training.texts) == 2103


def _numbered(text: str, count: int) -> list[str]:
    """So many texts that differ in a word of letters."""
    letters = "abcdefghij"
    return [f"{text} {letters[n // 100]}{letters[n // 10 % 10]}{letters[n % 10]}" for n in range(count)]


class Failing:
    """An encoder whose server is down until `up` is set."""

    def __init__(self) -> None:
        self.name = "failing"
        self.dimensions = 4
        self.up = False

    async def encode(self, texts: Sequence[str]) -> Vectors:
        if not self.up:
            raise EncoderError("the server is down")
        return np.eye(4, dtype=np.float32)[[len(text) % 4 for text in texts]]


async def test_a_failed_lesson_is_tried_again() -> None:
    encoder = Failing()
    learner = Learner([encoder])
    with pytest.raises(EncoderError, match="the server is down"):
        await learner.lesson(ACME)
    encoder.up = True
    assert (await learner.lesson(ACME)).training.agents == ("billing", "contract", "support")


async def test_a_customer_who_leaves_does_not_stop_the_lesson() -> None:
    learner = Learner([encoder_named("static")])
    leaving = asyncio.create_task(learner.lesson(ACME))
    staying = asyncio.create_task(learner.lesson(ACME))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).training.agents == ("billing", "contract", "support")


async def test_the_second_encoder_is_asked_only_when_the_first_is_unsure() -> None:
    cascade = Cascade([encoder_named("static"), encoder_named("onnx")])
    assert (await cascade.judge(ACME, "how much is my bill")).tier == 0
    assert (await cascade.judge(ACME, "is there anything I could do about my line")).tier == 1
