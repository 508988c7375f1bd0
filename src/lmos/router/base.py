"""The ports `Classifier` and `Index`, and the types between router and runtime.

A classifier says `match`, `ambiguous` or `out_of_scope`, never a guess. It knows agents only as the roster of one
channel: names, descriptions, capabilities and examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Protocol

from lmos.conversation.events import Candidate, Outcome
from lmos.conversation.messages import Message
from lmos.encoders.base import Vectors
from lmos.resources.rules import RoutingRules

__all__ = [
    "Classification",
    "ClassificationRequest",
    "Classifier",
    "ClassifierError",
    "Explanation",
    "Index",
    "IndexEntry",
    "IndexHit",
    "IndexUnavailable",
    "Roster",
    "RosterAgent",
    "RosterCapability",
    "UnknownAgent",
]


@dataclass(frozen=True, slots=True)
class RosterCapability:
    """A capability as the router sees it."""

    name: str
    version: str = ""
    description: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RosterAgent:
    """An agent as the router sees it."""

    name: str
    version: str = ""
    description: str = ""
    capabilities: tuple[RosterCapability, ...] = ()


@dataclass(frozen=True)
class Roster:
    """The agents of one channel. Equal rosters have equal `digest`, in whatever order their agents came."""

    agents: tuple[RosterAgent, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the agents in canonical order: the key under which a classifier caches what it learnt."""
        return sha256(repr(sorted(self.agents, key=lambda a: (a.name, a.version, repr(a)))).encode()).hexdigest()

    def agent(self, name: str) -> RosterAgent | None:
        return next((a for a in self.agents if a.name == name), None)


@dataclass(frozen=True, slots=True)
class ClassificationRequest:
    """One query. `history` is what was said before it, oldest first; `current_agent` answered the last turn."""

    query: str
    roster: Roster
    history: tuple[Message, ...] = ()
    current_agent: str | None = None
    explicit_agent: str | None = None
    tenant: str = ""
    channel: str = ""
    subset: str = "stable"
    rules: RoutingRules | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The numbers behind a decision by examples.

    `tier` is the encoder that decided. The message is declined when `scope` is below `scope_limit`; the customer is
    asked when the best agent's score is less than `margin_limit` above the second's. `leaving` is the probability that
    the message does not go on with the current agent (from `leaving_limit` on it is judged as if it were the first);
    `None` where there is no current agent, or nothing had to be weighed.
    """

    tier: str
    scope: float
    scope_limit: float
    margin_limit: float
    leaving: float | None = None
    leaving_limit: float = 0.5


@dataclass(frozen=True, slots=True)
class Classification:
    """The decision. `agents` is empty unless `outcome` is `match`; `confidence` (0..1) is the best agent's probability.

    `candidates` are best first, and `reason` is one sentence for people. `in_scope` is how much the message looks like
    what the agents know, 0 being the limit to decline at; `None` where the classifier has no such measure.
    """

    outcome: Outcome
    agents: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    confidence: float
    strategy: str
    reason: str
    in_scope: float | None = None
    explanation: Explanation | None = None


class ClassifierError(Exception):
    """The classifier cannot decide because of a fault (not because it is unsure)."""


class UnknownAgent(ClassifierError):
    """The explicitly named agent is not in the roster."""


class IndexUnavailable(ClassifierError):
    """The server that keeps an index does not answer, or refuses. The message names it."""


class Classifier(Protocol):
    """Decides which agents of a roster answer a query."""

    @property
    def name(self) -> str:
        """The strategy's name, as in `Classification.strategy`."""
        ...

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises `UnknownAgent` for an explicit agent that is not there, `ClassifierError` for a fault."""
        ...

    async def prepare(self, roster: Roster) -> None:
        """Learn `roster` ahead of its first query, which then need not wait; does nothing where nothing is learnt.

        Asks no language model. Raises `EncoderError` when the roster's texts cannot be encoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One example of one capability. `id` is unique within a collection.

    The other fields are for those who share the index: the ids of agent and capability where they differ from the
    names, where the agent answers, what the capability does, and the encoder that made the vector.
    """

    id: str
    agent: str
    capability: str
    text: str
    agent_id: str = ""
    capability_id: str = ""
    address: str = ""
    description: str = ""
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class IndexHit:
    """An entry and its cosine similarity to the query."""

    entry: IndexEntry
    score: float


class Index(Protocol):
    """Nearest-neighbour search over vectors in named collections (`{tenant}-{channel}-{subset}`).

    Every call raises `IndexUnavailable` when the server behind it fails.
    """

    async def upsert(self, collection: str, entries: Sequence[IndexEntry], vectors: Vectors) -> None:
        """Add or replace entries by id; `vectors` is `float32[len(entries), d]`.

        Raises `ValueError` when `vectors` does not fit `entries`, or the vectors that the collection holds.
        """
        ...

    async def remove(self, collection: str, ids: Sequence[str]) -> None:
        """Remove entries; unknown ids are ignored."""
        ...

    async def search(self, collection: str, vector: Vectors, k: int) -> list[IndexHit]:
        """The `k` nearest to `vector` (`float32[d]`), best first, ties by id. An unknown collection is empty.

        Raises `ValueError` when the collection holds vectors of another length.
        """
        ...

    async def entries(self, collection: str) -> list[IndexEntry]:
        """All entries, by id. An unknown collection is empty."""
        ...

    async def aclose(self) -> None:
        """Close what the index holds open."""
        ...
