"""The cascade: which encoder is asked, and what is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lmos.encoders.base import Encoder, Vectors
from lmos.encoders.static import StaticEncoder
from lmos.router import cascade
from lmos.router.base import Roster, RosterAgent, RosterCapability
from lmos.router.cascade import Cascade

pytestmark = pytest.mark.anyio


class Counting:
    """An encoder that notes which texts it was asked for."""

    def __init__(self, inner: Encoder) -> None:
        self._inner = inner
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return f"counting-{self._inner.name}"

    @property
    def dimensions(self) -> int:
        return self._inner.dimensions

    async def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked.extend(texts)
        return await self._inner.encode(texts)


def roster(*examples: str) -> Roster:
    return Roster((RosterAgent("billing", capabilities=(RosterCapability("view-bill", examples=examples),)),))


async def test_a_text_that_was_judged_lately_is_not_judged_again() -> None:
    judging = Cascade([StaticEncoder()])
    bills = roster("How much is my bill?", "Show my bill", "My last invoice")

    assert await judging.judge(bills, "the bill please") is await judging.judge(bills, "the bill please")


async def test_a_text_is_judged_anew_for_another_roster() -> None:
    judging = Cascade([StaticEncoder()])
    bills = await judging.judge(roster("How much is my bill?", "Show my bill"), "the bill please")
    tickets = await judging.judge(roster("Open a ticket", "My router is broken"), "the bill please")

    assert tickets.judgement.scope != bills.judgement.scope


async def test_only_so_many_judgements_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cascade, "REMEMBERED", 2)
    judging = Cascade([StaticEncoder()])
    bills = roster("How much is my bill?", "Show my bill")
    first = await judging.judge(bills, "one")
    for text in ("two", "three"):
        await judging.judge(bills, text)

    assert await judging.judge(bills, "one") is not first


async def test_a_slower_encoder_is_not_asked_for_what_the_first_is_sure_of() -> None:
    slow = Counting(StaticEncoder())
    judging = Cascade([StaticEncoder(), slow])
    bills = roster("How much is my bill?", "Show my bill", "My last invoice", "What do I have to pay?")
    await judging.learner.settled(bills)
    slow.asked.clear()

    judged = await judging.judge(bills, "How much is my bill?")

    assert (judged.tier, slow.asked) == (0, [])
