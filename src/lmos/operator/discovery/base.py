"""How the operator learns what an agent can do: places to ask, documents, and reasons why nothing is known.

The Agent controller asks; a `Documents` fetches. Which places there are follows from the agent's protocol alone, and
what a document means is said in `documents.py`: whoever fetches it does not look into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lmos.operator import reasons
from lmos.protocols.a2a.cards import CARD_PATHS
from lmos.protocols.arc.capabilities import CAPABILITIES_PATH
from lmos.resources.agent import AgentSource, Endpoint
from lmos.resources.agent import Protocol as AgentProtocol
from lmos.resources.endpoints import SUBSCRIPTIONS

__all__ = ["Document", "Documents", "Finding", "Place", "Target", "Undiscovered", "base_of", "places"]

_HTTP: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_PATHS: Final[dict[AgentProtocol, tuple[str, ...]]] = {"arc": (CAPABILITIES_PATH,), "a2a": CARD_PATHS, "local": ()}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of asking an agent: reason and message of its condition `Discovered`."""

    reason: str
    message: str

    @property
    def status(self) -> str:
        """`Unknown` only while the answer is on its way."""
        if self.reason == reasons.DOCUMENT_READ:
            return "True"
        return "Unknown" if self.reason == reasons.WORKLOAD_NOT_READY else "False"


class Undiscovered(Exception):
    """What an agent can do is not known now; the message ends with what to do about it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(reason, message)


@dataclass(frozen=True, slots=True)
class Place:
    """The url of a document, and what an agent speaks that has one there."""

    protocol: AgentProtocol
    url: str


def base_of(endpoint: Endpoint) -> str:
    """Where the documents of an agent with this endpoint are: beside its subscriptions, where its url names those."""
    scheme, _, rest = (endpoint.url or "").partition("://")
    rest = rest.rstrip("/")
    if endpoint.protocol == "arc":
        rest = rest.removesuffix(SUBSCRIPTIONS)
    return f"{_HTTP[scheme.lower()]}://{rest}"


def places(base: str, protocols: Sequence[AgentProtocol]) -> tuple[Place, ...]:
    """Where an agent at `base` may have its document, in the order in which to look."""
    root = base.rstrip("/")
    return tuple(Place(protocol, root + path) for protocol in protocols for path in _PATHS[protocol])


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask, and for which state of it: another revision or digest may give another answer."""

    places: tuple[Place, ...]
    revision: str | None = None
    digest: str | None = None

    def source(self, place: Place) -> AgentSource:
        """How an Agent's status tells that its document came from `place`."""
        return AgentSource(url=place.url, revision=self.revision, digest=self.digest)

    def gave(self, source: AgentSource | None) -> bool:
        """Whether `source` is this target in this state: asking again would give the same answer."""
        return source is not None and any(self.source(place) == source for place in self.places)


@dataclass(frozen=True, slots=True)
class Document:
    """What was found at a place, unread."""

    place: Place
    body: bytes


class Documents(Protocol):
    """Fetches what agents say of themselves."""

    async def fetch(self, places: Sequence[Place]) -> Document:
        """The document of the first place that has one. Raises `Undiscovered`, soon: it never waits for long."""
        ...
