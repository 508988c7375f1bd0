"""A turn as it happens, on a terminal: who answers, the text as it is written, and with `--why` how it came to it."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from lmos.conversation import events as ev

__all__ = ["PLATFORM", "Summary", "View"]

PLATFORM = "lmos"
"""Who speaks when no agent does: the platform asks back or declines."""


class Summary:
    """What a turn came to. `add` each of its events."""

    def __init__(self, conversation: str, turn: str) -> None:
        self.conversation = conversation
        self.turn = turn
        self.agents: list[str] = []
        self.contents: list[str] = []
        self.outcome: str | None = None
        self.error: str | None = None

    def add(self, event: ev.TurnEvent) -> None:
        match event:
            case ev.MessageCompleted():
                self.contents.append(event.message.content)
                if event.agent is not None:
                    self.agents.append(event.agent)
            case ev.TurnCompleted():
                self.outcome = event.outcome
            case ev.TurnFailed():
                self.error = f"{event.code}: {event.message}"
            case _:
                pass

    def to_wire(self) -> dict[str, Any]:
        """As JSON data, for `--output json`."""
        return {
            "conversationId": self.conversation,
            "turnId": self.turn,
            "outcome": self.outcome,
            "agents": self.agents,
            "content": "\n\n".join(self.contents),
        }


class View:
    """Prints events. `why` adds the router's decision, tools and the time that the turn took."""

    def __init__(self, console: Console, *, why: bool) -> None:
        self._console = console
        self._why = why
        self._streaming: str | None = None

    def show(self, event: ev.TurnEvent) -> None:
        match event:
            case ev.TextDelta():
                self._delta(event)
            case ev.IntermediateMessage():
                self._aside(f"{event.agent}: {event.content}")
            case ev.MessageCompleted():
                self._completed(event)
            case ev.TurnFailed() | ev.TurnCompleted():
                self._end_line()
                if self._why:
                    self._aside(f"{event.duration:.2f} s")
            case _:
                if self._why:
                    self._explain(event)

    def interrupted(self) -> None:
        """The turn was given up: leave the line that it was writing."""
        self._end_line()
        self._aside("stopped")

    def _delta(self, event: ev.TextDelta) -> None:
        if self._streaming != event.agent:
            self._end_line()
            self._speaker(event.agent)
            self._streaming = event.agent
        self._console.print(Text(event.text), end="")

    def _completed(self, event: ev.MessageCompleted) -> None:
        speaker = event.agent or PLATFORM
        if self._streaming != speaker:
            self._end_line()
            self._speaker(speaker)
            self._console.print(Text(event.message.content), end="")
            self._streaming = speaker
        self._end_line()

    def _speaker(self, name: str) -> None:
        self._console.print(Text(f"{name}: ", "bold cyan"), end="")

    def _end_line(self) -> None:
        if self._streaming is not None:
            self._console.print()
        self._streaming = None

    def _aside(self, text: str) -> None:
        self._end_line()
        self._console.print(Text(f"  {text}", "dim"))

    def _explain(self, event: ev.TurnEvent) -> None:
        match event:
            case ev.RouteDecided():
                agents = f" {', '.join(event.agents)}" if event.agents else ""
                self._aside(f"{event.outcome}{agents} ({event.confidence:.2f}, {event.strategy}): {event.reason}")
            case ev.ToolCalled():
                arguments = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in event.arguments.items())
                self._aside(f"{event.tool}({arguments})")
            case ev.ToolReturned():
                self._aside(f"{event.tool} -> {event.error or event.result}")
            case _:
                pass
