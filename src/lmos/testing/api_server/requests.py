"""What is sent to the simulated API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["TRUE", "Request"]

TRUE: Final = ("true", "1")
"""How a query says yes."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as a `Transport` is given it, and who sends it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    content_type: str = "application/json"
    user: str = "admin"

    @property
    def watches(self) -> bool:
        return self.method == "GET" and self.query.get("watch") in TRUE
