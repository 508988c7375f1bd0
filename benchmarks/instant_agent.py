"""An ARC agent that answers at once: what remains of a turn is the platform's and the wire's."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator

import uvloop
from starlette.applications import Starlette

from lmos.conversation.exchange import AgentEvent, AgentRequest, Answer
from lmos.conversation.messages import Message
from lmos.protocols.arc.server import arc_routes
from lmos.server.health import health_routes
from lmos.server.serve import listen, serving


class Instant:
    """The service: one agent, one answer."""

    names = ("bill",)

    async def ask(self, agent_name: str | None, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        yield Answer(Message(role="assistant", content="Your bill for October 2026 is 39.95 EUR."))


async def main(port: int) -> None:
    app = Starlette(routes=[*arc_routes(Instant()), *health_routes(list)])
    async with serving(app, listen("127.0.0.1", port)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(main(parser.parse_args().port))
