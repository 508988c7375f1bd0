"""Schedules on a real API server, with `lmos operator` as real processes behind proxies; several at once.

What people do, which faults come and what must be true are as in `schedule.py`; time is real, so that waits are short,
and what befalls the API server befalls all schedules of a wave. Operators' caches are compared by the number of objects
that they say they hold.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
import yaml

from lmos.operator.kubernetes.config import configuration
from lmos.operator.kubernetes.connect import transport_to
from lmos.operator.kubernetes.transport import TransportError
from lmos.testing.processes import ProcessFailed
from tests.cluster.operators import OperatorProcess
from tests.operator.faults.actions import JSON, PEOPLE, Action, Cut, Deny, Fell, Send, Wait, life
from tests.operator.faults.lines import Recordings
from tests.operator.faults.oracle import readable, wrong_states
from tests.operator.faults.paths import PATHS
from tests.operator.faults.plan import Kind, Plan
from tests.operator.faults.proxy import Proxy
from tools.testcluster import API, Cluster

__all__ = ["Lived", "live_wave"]

_LONGEST_WAIT: Final = 1.5
_LONGEST_PAUSE: Final = 18.0
"""Longer than a Lease lasts."""
_SETTLED_WITHIN: Final = 300.0
_SHORT: Final = 5.0
"""So long operators are cut off, or without their rights, at most."""
_OPERATOR: Final = "operator"
"""Role of the cluster that operators have, and name of what grants them their rights."""
_KINDS: Final = {"agents": "Agent", "channels": "Channel", "channelroutings": "ChannelRouting"}


@dataclass
class Lived:
    """What came of one schedule."""

    seed: int
    wrongs: list[str] = field(default_factory=list[str])
    counts: Counter[Kind] = field(default_factory=Counter[Kind])
    seconds: float = 0.0


async def live_wave(cluster: Cluster, seeds: Sequence[int], folder: Path) -> list[Lived]:
    """Live through schedules side by side, while the API server has its own misfortunes."""
    needed = [manifest for seed in seeds for manifest in _needed(_namespace(seed))]
    await asyncio.to_thread(cluster.apply, yaml.safe_dump_all(needed))
    rng, fates = Random(seeds[0]), Counter[Kind]()
    misfortunes = asyncio.create_task(_misfortunes(cluster, rng, fates))
    try:
        lived = await asyncio.gather(*(_Schedule(cluster, seed, folder).live(misfortunes) for seed in seeds))
    finally:
        misfortunes.cancel()
    for one in lived:
        one.counts += fates
    return lived


async def _misfortunes(cluster: Cluster, rng: Random, counts: Counter[Kind]) -> None:
    """A restart without a past, and a definition that goes and comes again."""
    await asyncio.sleep(rng.uniform(3, 8))
    counts[Kind.COMPACTION] += 1
    await asyncio.to_thread(cluster.compact)
    counts[Kind.RESTART] += 1
    await asyncio.to_thread(cluster.restart, API)
    if rng.random() < 0.5:
        plural = rng.choice(list(_KINDS))
        definition = cluster.kubectl("get", "crd", f"{plural}.lmos.eclipse", "-o", "json")
        counts[Kind.CRD_GONE] += 1
        await asyncio.to_thread(cluster.kubectl, "delete", "crd", f"{plural}.lmos.eclipse", seconds=60.0)
        await asyncio.to_thread(cluster.install, [yaml.safe_dump(_bare(orjson.loads(definition)))])


def _bare(definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": definition["apiVersion"],
        "kind": definition["kind"],
        "metadata": {"name": definition["metadata"]["name"]},
        "spec": definition["spec"],
    }


class _Schedule:
    def __init__(self, cluster: Cluster, seed: int, folder: Path) -> None:
        self._folder = folder
        self._namespace = _namespace(seed)
        self._plan = Plan(seed, requests=0.25, streams=0.7)
        self._rng = Random(seed)
        self._recordings = Recordings()
        self._admin = transport_to(configuration(kubeconfig=str(cluster.kubeconfig())))
        self._upstream = transport_to(configuration(kubeconfig=str(cluster.kubeconfig(_OPERATOR))))
        self._lived = Lived(seed)
        self._stack = AsyncExitStack()
        self._operators: list[OperatorProcess] = []
        self._proxies: list[Proxy] = []
        self._later: list[asyncio.Task[None]] = []
        self._started = 0

    async def live(self, misfortunes: asyncio.Task[None]) -> Lived:
        began = asyncio.get_running_loop().time()
        async with self._stack:
            self._stack.push_async_callback(self._admin.aclose)
            self._stack.push_async_callback(self._upstream.aclose)
            for _ in range(2 if self._lived.seed % 3 == 0 else 1):
                await self._start_operator()
            if len(self._operators) == 2:
                self._plan.came_about(Kind.TWO_LEADERS)
            for action in life(self._lived.seed, length=26):
                await self._do(action)
            await asyncio.gather(*self._later)
            await asyncio.wait((misfortunes,))
            misfortunes.result()
            self._plan.active = False
            await self._settle()
            for operator in self._operators:
                await asyncio.to_thread(operator.stop)
        self._lived.wrongs += [wrong for proxy in self._proxies for wrong in proxy.needless]
        self._lived.counts = self._plan.counts
        self._lived.seconds = asyncio.get_running_loop().time() - began
        return self._lived

    async def _start_operator(self) -> None:
        self._started += 1
        proxy = Proxy(self._upstream, self._plan, self._recordings)
        self._proxies.append(proxy)
        url = await self._stack.enter_async_context(proxy.serving())
        name = f"{self._namespace}-{self._started}"
        kubeconfig = self._folder / f"{name}.kubeconfig"
        kubeconfig.write_text(_kubeconfig(url))
        operator = OperatorProcess(self._folder, kubeconfig, self._namespace, "--no-discovery", name=name)
        self._stack.push_async_callback(asyncio.to_thread, operator.kill)
        self._operators.append(operator)

    async def _do(self, action: Action) -> None:
        match action:
            case Wait(seconds):
                await asyncio.sleep(min(seconds, _LONGEST_WAIT))
            case Send():
                await self._send(action)
            case Cut(seconds):
                self._later += [asyncio.create_task(p.cut(min(seconds, _SHORT))) for p in self._proxies]
            case Deny(_, _, seconds):
                self._later.append(asyncio.create_task(self._deny(min(seconds, _SHORT))))
            case Fell():
                await self._fell(action)
            case _:
                pass  # befalls the whole wave

    async def _send(self, action: Send) -> None:
        collection = f"{PATHS[action.plural]}/namespaces/{self._namespace}/{action.plural}"
        path = collection if action.method == "POST" else f"{collection}/{action.name}{action.part}"
        body = None if action.body is None else orjson.dumps(action.body)
        query = {"fieldManager": PEOPLE} | ({"force": "true"} if "apply" in action.content_type else {})
        with suppress(TransportError):  # the server may be away
            await self._admin.request(action.method, path, query=query, body=body, content_type=action.content_type)

    async def _deny(self, seconds: float) -> None:
        """Take all rights in the namespace for a while. It counts if an operator felt it."""
        before = sum(proxy.forbidden for proxy in self._proxies)
        bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self._namespace}/rolebindings"
        await self._insist("DELETE", f"{bindings}/{_OPERATOR}")
        await asyncio.sleep(seconds)
        await self._insist("POST", bindings, orjson.dumps(_binding(self._namespace)))
        if sum(proxy.forbidden for proxy in self._proxies) > before:
            self._plan.came_about(Kind.RIGHTS_LOST)

    async def _insist(self, method: str, path: str, body: bytes | None = None) -> None:
        """Send it until it is so: the server may be away, or have been when it answered."""
        while True:
            with suppress(TransportError):
                answer = await self._admin.request(method, path, body=body, content_type=JSON)
                if answer.status < 300 or answer.status in (404, 409):
                    return
            await asyncio.sleep(0.5)

    async def _fell(self, action: Fell) -> None:
        alive = [operator for operator in self._operators if operator.exit_code is None]
        if not alive:
            return
        chosen = self._rng.choice(alive)
        if action.how == "pause":
            self._plan.came_about(Kind.PAUSED)
            chosen.send(signal.SIGSTOP)
            self._later.append(asyncio.create_task(_later(min(action.seconds, _LONGEST_PAUSE), chosen)))
            return
        self._plan.came_about(Kind.KILLED if action.how == "kill" else Kind.STOPPED)
        self._operators.remove(chosen)
        chosen.send(signal.SIGCONT)
        if action.how == "kill":
            await asyncio.to_thread(chosen.kill)
        else:
            chosen.send(signal.SIGTERM)
        await self._start_operator()

    # The end

    async def _settle(self) -> None:
        """Wait until all is well, and stays so."""
        deadline = asyncio.get_running_loop().time() + _SETTLED_WITHIN
        well = 0
        wrongs: list[str] = []
        while well < 2 and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(2)
            try:
                wrongs = await self._wrongs()
            except (TransportError, ProcessFailed, orjson.JSONDecodeError, KeyError) as error:
                wrongs = [f"not to be asked: {error!r}"]
            well = 0 if wrongs else well + 1
        self._lived.wrongs += wrongs

    async def _wrongs(self) -> list[str]:
        stored = {plural: await self._list(plural) for plural in _KINDS}
        found = wrong_states(lambda plural: stored.get(plural, []))
        counted = {kind: readable(kind, stored[plural]) for plural, kind in _KINDS.items()}
        for operator in self._operators:
            for kind, count in counted.items():
                known = await asyncio.to_thread(operator.metric, "lmos_cache_objects", kind=kind)
                if known != count:
                    found.append(f"{operator.name} knows {known:g} {kind}s, there are {count}")
        return found

    async def _list(self, plural: str) -> list[dict[str, Any]]:
        answer = await self._admin.request("GET", f"{PATHS[plural]}/namespaces/{self._namespace}/{plural}")
        return orjson.loads(answer.body)["items"]


def _namespace(seed: int) -> str:
    return f"schedule-{seed}"


def _needed(namespace: str) -> list[dict[str, Any]]:
    """A namespace in which operators may do what they have to."""
    everything = ["lmos.eclipse", "events.k8s.io", "coordination.k8s.io"]
    rules = [
        {"apiGroups": everything, "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]
    metadata = {"name": _OPERATOR, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        _binding(namespace),
    ]


def _binding(namespace: str) -> dict[str, Any]:
    account = {"kind": "ServiceAccount", "name": "lmos-operator", "namespace": "lmos"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": _OPERATOR, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": _OPERATOR},
        "subjects": [account],
    }


async def _later(seconds: float, operator: OperatorProcess) -> None:
    await asyncio.sleep(seconds)
    operator.send(signal.SIGCONT)


def _kubeconfig(url: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": {"server": url}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        }
    )
