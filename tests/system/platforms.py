"""Real `lmos` processes for these tests, and the HTTP calls of a customer's channel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2

from lmos.testing.processes import LmosProcess

__all__ = [
    "ECHO_AGENT",
    "arc_agent",
    "body",
    "channel",
    "events_path",
    "frames",
    "logged",
    "message_path",
    "up",
]

# Says who asks, so that a mixed-up conversation shows.
ECHO_AGENT = '''\
from lmos import Agent, Capability, Turn


async def who_am_i(turn: Turn) -> str:
    """Tell who the user is."""
    return f"{turn.conversation_id} {turn.user_id} {turn.turn_id}"


agent = Agent(
    name="NAME",
    capabilities=[Capability("NAME-who", version="1.0.0", examples=["Who am I?", "Tell me who I am"])],
    tools=[who_am_i],
    channels=["web", "late"],
)
'''


def arc_agent(name: str, url: str) -> str:
    """Manifest of an agent that answers over ARC at `url`, with one capability of its name."""
    return f"""\
---
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {{name: {name}}}
spec:
  supportedChannels: [web]
  endpoint: {{url: "{url}", protocol: arc}}
  providedCapabilities: [{{name: {name}-who, version: 1.0.0, examples: [Who am I?]}}]
"""


def channel(*agents: str, name: str = "web") -> str:
    """Manifest of a channel of tenant `acme` that is served by `agents`."""
    required = "".join(f"\n    - {{name: {agent}-who, version: ^1.0.0}}" for agent in agents)
    return f"""\
---
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {{name: {name}, labels: {{tenant: acme, channel: {name}, subset: stable}}}}
spec:
  requiredCapabilities:{required}
"""


def up(
    folder: Path, *files: str, manifests: str = "", name: str = "lmos", settings: dict[str, str] | None = None
) -> LmosProcess:
    """`lmos up` on the data folder `folder/data` with `files` and `manifests`; the caller waits for `ready()`."""
    if manifests:
        (folder / "manifests.yaml").write_text(manifests)
        files = (*files, "manifests.yaml")
    words = [word for file in files for word in ("-f", file)]
    return LmosProcess("up", "--port", "0", "--data", "data", *words, folder=folder, name=name, settings=settings)


def message_path(conversation: str) -> str:
    return f"/apis/v1/acme/chat/{conversation}/message"


def events_path(conversation: str, turn: str) -> str:
    return f"/apis/v1/acme/chat/{conversation}/turns/{turn}/events"


def body(text: str = "Who am I?", *, user: str = "u1", agent: str | None = None) -> dict[str, Any]:
    """A message of one user on channel `web`; `agent` leaves the router no choice."""
    return {
        "inputContext": {"messages": [{"role": "user", "content": text}], "explicitAgent": agent},
        "systemContext": {"channelId": "web"},
        "userContext": {"userId": user},
    }


def frames(text: str) -> list[dict[str, Any]]:
    """The events of a stream, in order; keep-alive comments and a cut-off last frame left out."""
    blocks = text.split("\n\n")[:-1]
    return [
        json.loads(line.removeprefix("data: "))
        for block in blocks
        for line in block.split("\n")
        if line.startswith("data: ")
    ]


def logged(http: httpx2.Client, conversation: str, turn: str) -> list[dict[str, Any]]:
    """What the turn log holds of a turn."""
    response = http.get(events_path(conversation, turn))
    return frames(response.text) if response.status_code == 200 else []
