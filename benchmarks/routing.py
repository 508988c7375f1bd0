"""How long a routing decision takes: the example telco's agents, one thread, one query at a time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.record import Session, percentile
from lmos.agents.loading import load_agents
from lmos.encoders.registry import encoder_named
from lmos.router.base import ClassificationRequest, Roster, RosterAgent, RosterCapability
from lmos.router.classifier import default_classifier

ACME = Path(__file__).parent.parent / "examples" / "acme"
_QUERIES = (
    "How much is my bill this month?",
    "I would like to know when my contract ends",
    "the internet has been gone since this morning",
    "please open a ticket for my router",
    "can I get a cheaper tariff",
    "why is my invoice so high",
    "what is the weather on Mars",
    "I want to cancel everything",
)


def _roster() -> Roster:
    agents = load_agents(ACME)
    return Roster(
        tuple(
            RosterAgent(
                agent.name,
                agent.version,
                agent.description,
                tuple(RosterCapability(c.name, "", c.description, tuple(c.examples)) for c in agent.capabilities),
            )
            for agent in agents
        )
    )


async def _session(session: Session, rounds: int) -> None:
    classifier = default_classifier(encoder_named("static"))
    roster = _roster()
    begin = time.perf_counter()
    await classifier.classify(ClassificationRequest(query=_QUERIES[0], roster=roster))
    session.add("first query (learns the roster)", "ms", [(time.perf_counter() - begin) * 1e3])
    p50: list[float] = []
    p99: list[float] = []
    for round_number in range(rounds):
        taken: list[float] = []
        for number in range(400):
            # A fresh text each time: no cache of encodings answers.
            query = f"{_QUERIES[number % len(_QUERIES)]} {round_number}-{number}"
            begin = time.perf_counter()
            await classifier.classify(ClassificationRequest(query=query, roster=roster))
            taken.append((time.perf_counter() - begin) * 1e3)
        p50.append(percentile(taken, 0.5))
        p99.append(percentile(taken, 0.99))
    session.add("route, static encoder, p50", "ms", p50, goal="<= 1")
    session.add("route, static encoder, p99", "ms", p99)


def main(rounds: int = 5) -> Session:
    session = Session("routing")
    asyncio.run(_session(session, rounds))
    return session
