"""Agents that answer from a script, and what was asked of them: a `Documents` without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from lmos.operator import reasons
from lmos.operator.discovery.base import Document, Place, Undiscovered
from lmos.protocols.a2a.cards import CARD_PATHS
from lmos.protocols.arc.capabilities import CAPABILITIES_PATH

__all__ = ["ScriptedAgents", "capabilities", "card"]


def capabilities(*provided: tuple[str, str], channels: Sequence[str] = ("web",)) -> dict[str, Any]:
    """A capabilities document that provides (name, version) pairs."""
    return {
        "id": "of the document",
        "description": "An agent",
        "supportedTenants": [],
        "supportedChannels": list(channels),
        "capabilities": [
            {"id": "", "name": name, "version": version, "description": "", "examples": ["e"]}
            for name, version in provided
        ],
    }


def card(*skills: str, version: str = "1.0.0") -> dict[str, Any]:
    """An A2A card with these skills."""
    return {
        "name": "An agent",
        "description": "An agent",
        "version": version,
        "supportedInterfaces": [{"url": "http://a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "skills": [{"id": skill, "name": skill, "description": "", "tags": []} for skill in skills],
    }


class ScriptedAgents:
    """Documents by base url. `asked` holds the urls that were asked, with the event loop's time."""

    def __init__(self) -> None:
        self._documents: dict[str, bytes] = {}
        self._faults: dict[str, Undiscovered] = {}
        self.delay = 0.0
        self.asked: list[tuple[str, float]] = []

    def serve(self, base: str, document: dict[str, Any]) -> None:
        """From now on the agent at `base` has this document, at its place."""
        path = CARD_PATHS[0] if "skills" in document else CAPABILITIES_PATH
        self._faults.pop(base, None)
        for known in (CAPABILITIES_PATH, *CARD_PATHS):
            self._documents.pop(base + known, None)
        self._documents[base + path] = orjson.dumps(document)

    def fail(self, base: str) -> None:
        """From now on the agent at `base` does not answer."""
        self._faults[base] = Undiscovered(reasons.UNREACHABLE, f"GET {base}: no answer; start it")

    async def fetch(self, places: Sequence[Place]) -> Document:
        base = places[0].url.partition("/.well-known/")[0]
        self.asked.append((base, asyncio.get_running_loop().time()))
        await asyncio.sleep(self.delay)
        if (fault := self._faults.get(base)) is not None:
            raise Undiscovered(fault.finding.reason, fault.finding.message)
        for place in places:
            if (body := self._documents.get(place.url)) is not None:
                return Document(place, body)
        raise Undiscovered(reasons.DOCUMENT_MISSING, f"404 at {base}; serve a document")
