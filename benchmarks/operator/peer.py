"""The peer: the Channel controller on kopf, as `python -m benchmarks.operator.peer --kubeconfig FILE NAMESPACE`.

Same work, same types, same resolver and the same desired state as ours; what differs is the operator around it. The
settings are the best that we found for kopf 1.45: uvloop, no events, no scanning, pages of 500, 64 workers that leave
after 20 ms (with its defaults, 4,000 objects take 1.4 GB and 64 workers without the short idling 13 objects/s).

It does less: a changed Agent reconciles no Channel (kopf has no way to ask for it), there are no metrics, no Lease, no
REST API, and the agents are listed once before the first handler runs, since kopf's own index takes 16 CPU seconds for
2,000 objects. kopf has no server-side apply; the ChannelRouting is written over aiohttp, the fastest client there is.

With `--events` it uses event handlers alone: one write an object, not two, but nothing that failed is tried again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import kopf
import uvloop

from benchmarks.operator.customer import Customer
from lmos.operator.derive import routing_for, status_for
from lmos.operator.resolver import resolve
from lmos.resources.agent import Agent
from lmos.resources.channel import Channel
from lmos.resources.routing import ChannelRouting

_GROUP, _VERSION = "lmos.eclipse", "v1"
_WORKERS = 64


class _Peer:
    """What kopf's handlers share."""

    def __init__(self, customer: Customer, namespace: str) -> None:
        self._customer = customer
        self._namespace = namespace
        self._agents: dict[str, dict[str, Agent]] = {}
        self._routings: dict[str, ChannelRouting] = {}

    def register(self, *, events: bool) -> None:
        kopf.on.startup()(self.configure)
        kopf.on.event(_GROUP, _VERSION, "agents")(self.agent_changed)
        kopf.on.event(_GROUP, _VERSION, "channelroutings")(self.routing_changed)
        if events:
            kopf.on.event(_GROUP, _VERSION, "channels")(self.reconcile)
            return
        for moment in (kopf.on.resume, kopf.on.create, kopf.on.update):
            moment(_GROUP, _VERSION, "channels")(self.reconcile)

    async def configure(self, settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.chunk_size = 500
        settings.queueing.worker_limit = _WORKERS
        settings.queueing.idle_timeout = 0.02
        for agent in await self._customer.list("agents", self._namespace):
            self._learn(Agent.model_validate(agent))

    async def agent_changed(self, body: Mapping[str, Any], **event: Any) -> None:
        agent = Agent.model_validate(dict(body))
        for providers in self._agents.values():
            providers.pop(agent.metadata.name, None)
        if event["type"] != "DELETED":
            self._learn(agent)

    async def routing_changed(self, body: Mapping[str, Any], **event: Any) -> None:
        routing = ChannelRouting.model_validate(dict(body))
        if event["type"] == "DELETED":
            self._routings.pop(routing.metadata.name, None)
        else:
            self._routings[routing.metadata.name] = routing

    async def reconcile(self, body: Mapping[str, Any], patch: kopf.Patch, **event: Any) -> None:
        if event.get("type") == "DELETED":
            return
        channel = Channel.model_validate(dict(body))
        names = {capability.name for capability in channel.spec.required_capabilities}
        agents = {name: agent for one in names for name, agent in self._agents.get(one, {}).items()}
        resolution = resolve(channel, agents.values())
        desired = routing_for(channel, resolution, platform_host=None)
        known = self._routings.get(channel.metadata.name)
        if known is None or known.spec != desired.spec:
            written = await self._customer.apply("channelroutings", desired.to_wire())
            self._routings[channel.metadata.name] = ChannelRouting.model_validate(written)
        status = status_for(channel, resolution, datetime.now(UTC))
        if channel.status != status:
            patch.status.update(status.model_dump(mode="json", by_alias=True, exclude_none=True))

    def _learn(self, agent: Agent) -> None:
        for capability in agent.spec.provided_capabilities:
            self._agents.setdefault(capability.name, {})[agent.metadata.name] = agent


async def _run(arguments: argparse.Namespace) -> None:
    async with Customer(arguments.kubeconfig) as customer:
        _Peer(customer, arguments.namespace).register(events=arguments.events)
        liveness = f"http://127.0.0.1:{arguments.port}/healthz"
        await kopf.operator(namespaces=[arguments.namespace], standalone=True, liveness_endpoint=liveness)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator.peer", description=__doc__)
    parser.add_argument("namespace")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--port", type=int, required=True, help="of the liveness probe")
    parser.add_argument("--events", action="store_true", help="event handlers only")
    arguments = parser.parse_args()
    os.environ["KUBECONFIG"] = arguments.kubeconfig
    logging.basicConfig(level=logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(arguments))


if __name__ == "__main__":
    main()
