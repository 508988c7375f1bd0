"""One turn, or a conversation line by line: what `lmos chat` does with a peer."""

from __future__ import annotations

import asyncio
import importlib
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Final

from lmos.cli.chat_client import Peer
from lmos.cli.chat_view import Summary, View
from lmos.cli.documents import print_document
from lmos.cli.errors import CommandError, explain
from lmos.cli.terminal import error_console, output_console

__all__ = ["Session", "one_turn"]

_HELP: Final = "/new starts another conversation, /why shows how turns are decided, /quit or Ctrl-D ends"


async def one_turn(peer: Peer, text: str, conversation: str, *, why: bool, as_json: bool) -> int:
    """Take one turn and show it; 1 when it failed. Raises `CommandError`."""
    summary = Summary(conversation, _turn_id())
    async with peer:
        await _play(peer, text, summary, None if as_json else View(output_console(), why=why))
    if summary.error is None and as_json:
        print_document(summary.to_wire(), "json")
    return _verdict(summary)


async def _play(peer: Peer, text: str, summary: Summary, view: View | None) -> None:
    try:
        async with aclosing(peer.ask(text, summary.turn)) as events:
            async for event in events:
                summary.add(event)
                if view is not None:
                    view.show(event)
    except asyncio.CancelledError:
        if view is not None:
            view.interrupted()
        raise


def _verdict(summary: Summary) -> int:
    if summary.error is None:
        return 0
    error_console().print(f"error: {summary.error}")
    return 1


def _turn_id() -> str:
    return uuid.uuid4().hex


class Session:
    """Takes turns until the input ends. Ctrl-C stops the turn that runs, and ends the session at the prompt."""

    def __init__(self, peer: Callable[[str], Peer], conversation: str, *, why: bool) -> None:
        self._peer_for = peer
        self._conversation = conversation
        self._why = why
        self._terminal = sys.stdin.isatty()
        self._failed = False

    def run(self) -> int:
        """The exit code: 1 when a turn failed and nobody sat there to see it."""
        if self._terminal:
            importlib.import_module("readline")  # gives `input` its line editing and history
            error_console().print(f"conversation {self._conversation}; {_HELP}")
        with asyncio.Runner() as runner:
            peer = self._peer_for(self._conversation)
            try:
                for line in self._lines():
                    if line == "/new":
                        runner.run(_leave(peer))
                        self._conversation = f"chat-{uuid.uuid4().hex[:12]}"
                        peer = self._peer_for(self._conversation)
                        error_console().print(f"conversation {self._conversation}")
                    else:
                        self._take(runner, peer, line)
            finally:
                runner.run(_leave(peer))
        return int(self._failed and not self._terminal)

    def _lines(self) -> Iterator[str]:
        """What is said, and `/new`; other commands are dealt with here."""
        while True:
            try:
                line = input("> " if self._terminal else "").strip()
            except (EOFError, KeyboardInterrupt):
                if self._terminal:
                    print()
                return
            if line in ("/quit", "/exit"):
                return
            if line == "/why":
                self._why = not self._why
                error_console().print(f"why: {'on' if self._why else 'off'}")
            elif line == "/new" or (line and not line.startswith("/")):
                yield line
            elif line:
                error_console().print(_HELP)

    def _take(self, runner: asyncio.Runner, peer: Peer, text: str) -> None:
        summary = Summary(self._conversation, _turn_id())
        view = View(output_console(), why=self._why)
        try:
            runner.run(_play(peer, text, summary, view))
        except KeyboardInterrupt:
            return
        except CommandError as error:
            error_console().print(explain(error))
            self._failed = True
            return
        self._failed |= _verdict(summary) != 0


async def _leave(peer: Peer) -> None:
    await peer.__aexit__(None, None, None)
