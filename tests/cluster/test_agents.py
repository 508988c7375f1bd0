"""Agents of real Deployments and Rollouts: made ready by kwok, asked over HTTP, shown by kubectl, gone with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import anyio
import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lmos.clock import SystemClock
from lmos.operator import reasons
from lmos.operator.discovery.http import HttpDocuments
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.events import KubernetesRecorder
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.operator.manager import Manager
from lmos.resources.crds import crds_yaml
from lmos.testing.loopback import serving
from tests.cluster.plugin import Kubectl
from tests.docs.pages import PAGES, fences
from tests.operator.discovery.scripted import capabilities, card
from tools.testcluster import API_SERVER, Access, Cluster, definitions

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("cluster")]

_PATIENCE: Final = 30.0
CHANNEL = """
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {name: web, labels: {tenant: acme, channel: web, version: 1.0.0, subset: stable}}
spec: {requiredCapabilities: [{name: bill, version: ^1.0.0}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: billing}
spec: {selector: {app: billing}, ports: [{port: 8080}]}
"""


def workload(kind: str = "Deployment", image: str = "billing:1", **annotations: str) -> str:
    """A Deployment or Rollout `billing` that is an agent."""
    manifest: dict[str, Any] = {
        "apiVersion": "apps/v1" if kind == "Deployment" else "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": "billing",
            "labels": {"lmos-agent": "true", "subset": "stable"},
            "annotations": {f"lmos.eclipse/{name}": value for name, value in annotations.items()},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "billing"}},
            "template": {
                "metadata": {"labels": {"app": "billing"}},
                "spec": {"containers": [{"name": "agent", "image": image}]},
            },
        },
    }
    return yaml.safe_dump(manifest)


class Documents:
    """Serves one document at a time, as the agent `billing`; `None`: it is not up."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = capabilities(("bill", "1.0.0"))
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def answer(self, request: Request) -> Response:
        self.asked.set()
        await self.open.wait()
        if self.document is None:
            return Response(status_code=503)
        right = "agent-card.json" if "skills" in self.document else "capabilities.json"
        return JSONResponse(self.document) if request.url.path.endswith(right) else Response(status_code=404)


class Room:
    """A namespace in which an operator works, and the agent that its Service leads to."""

    def __init__(self, kubectl: Kubectl, agent: Documents) -> None:
        self._kubectl = kubectl
        self.agent = agent

    async def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return await asyncio.to_thread(self._kubectl, *words, stdin=stdin)

    async def apply(self, *manifests: str) -> None:
        await self.kubectl("apply", "--server-side", "-f", "-", stdin="---\n".join(manifests))

    async def get(self, *words: str) -> dict[str, Any]:
        return json.loads(await self.kubectl("get", *words, "-o", "json"))

    async def until_ready(self, status: str, reason: str) -> str:
        """Wait until the Agent says so; the message."""
        with anyio.fail_after(_PATIENCE):
            while True:
                found = await self.get("agents", "--ignore-not-found")
                for agent in found["items"]:
                    for condition in agent.get("status", {}).get("conditions", ()):
                        if (condition["type"], condition["status"], condition["reason"]) == ("Ready", status, reason):
                            return condition["message"]
                await asyncio.sleep(0.1)

    async def until_channel(self, status: str) -> None:
        await self.kubectl("wait", "channel/web", f"--for=jsonpath={{.status.resolveStatus}}={status}", "--timeout=30s")

    async def until_gone(self) -> None:
        await self.kubectl("wait", "agent/billing", "--for=delete", "--timeout=30s")

    async def reasons_of(self, kind: str) -> list[str]:
        """Reasons of the events about `billing`, once there are any."""
        with anyio.fail_after(_PATIENCE):
            while True:
                found = await self.get("events.events.k8s.io")
                about = [event for event in found["items"] if event["regarding"].get("kind") == kind]
                ours = [e["reason"] for e in about if e.get("reportingController") == "lmos.eclipse/operator"]
                if ours:
                    return ours
                await asyncio.sleep(0.1)


@asynccontextmanager
async def operator(cluster: Access, namespace: str, hosts: dict[str, str]) -> AsyncGenerator[Manager]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(kubeconfig=str(cluster.kubeconfig())))
        clock = SystemClock()
        recorder = await stack.enter_async_context(KubernetesRecorder(client, clock, identity="test"))
        manager = Manager(
            KubernetesStore(client),
            clock,
            namespaces=[namespace],
            recorder=recorder,
            documents=await stack.enter_async_context(HttpDocuments(hosts)),
            workloads=True,
            argo_rollouts=True,
        )
        yield await stack.enter_async_context(manager)


@pytest.fixture
async def room(cluster: Access, namespace: str, kubectl: Kubectl) -> AsyncIterator[Room]:
    agent = Documents()
    async with serving(Starlette(routes=[Route("/{path:path}", agent.answer)])) as url:
        hosts = {f"billing.{namespace}.svc.cluster.local": url.removeprefix("http://")}
        async with operator(cluster, namespace, hosts):
            yield Room(kubectl, agent)


async def test_a_deployment_becomes_an_agent_that_serves_channels_and_goes_with_it(room: Room) -> None:
    await room.apply(CHANNEL, SERVICE, workload())
    await room.until_channel("RESOLVED")
    await room.until_ready("True", reasons.DISCOVERED)
    agent = await room.get("agent", "billing")
    assert agent["metadata"]["labels"] == {
        "lmos-agent": "true",
        "subset": "stable",
        "app.kubernetes.io/managed-by": "lmos-operator",
    }
    (owner,) = agent["metadata"]["ownerReferences"]
    del owner["uid"]
    assert owner == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "billing",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    namespace: str = agent["metadata"]["namespace"]
    assert agent["spec"]["id"] == "billing"
    assert agent["spec"]["endpoint"] == {"url": f"http://billing.{namespace}.svc.cluster.local:8080", "protocol": "arc"}
    assert agent["status"]["source"]["revision"] == "1"
    managed = await room.get("agent", "billing", "--show-managed-fields")
    managers = {entry["manager"] for entry in managed["metadata"]["managedFields"]}
    assert managers == {reasons.FIELD_MANAGER, reasons.STATUS_FIELD_MANAGER}
    assert (await room.kubectl("get", "agents", "--no-headers")).split()[:2] == ["billing", "True"]
    assert reasons.DISCOVERED in await room.reasons_of("Agent")
    await room.kubectl("delete", "deployment", "billing")
    await room.until_gone()
    await room.until_channel("UNRESOLVED")


async def test_a_rollout_becomes_an_agent_by_its_card_and_goes_with_it(room: Room) -> None:
    room.agent.document = card("bill")
    await room.apply(CHANNEL, SERVICE, workload("Rollout", channels="web"))
    assert "rolled out" in await room.until_ready("Unknown", reasons.WORKLOAD_NOT_READY)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
    status = {"status": {"observedGeneration": "1", **counts}}
    await room.kubectl(
        "patch", "rollout", "billing", "--subresource=status", "--type=merge", f"-p={json.dumps(status)}"
    )
    await room.until_channel("RESOLVED")
    agent = await room.get("agent", "billing")
    assert agent["spec"]["endpoint"]["protocol"] == "a2a"
    assert agent["metadata"]["ownerReferences"][0]["apiVersion"] == "argoproj.io/v1alpha1"
    await room.kubectl("delete", "rollout", "billing")
    await room.until_gone()


async def test_a_new_revision_is_asked_again(room: Room) -> None:
    await room.apply(CHANNEL, SERVICE, workload())
    await room.until_channel("RESOLVED")
    room.agent.document = capabilities(("bill", "2.0.0"))
    await room.apply(workload(image="billing:2"))
    await room.until_channel("UNRESOLVED")
    agent = await room.get("agent", "billing")
    assert agent["spec"]["providedCapabilities"][0]["version"] == "2.0.0"


async def test_an_agent_that_cannot_be_asked_says_why_until_it_can(room: Room) -> None:
    room.agent.document = None
    await room.apply(CHANNEL, workload())
    assert "app=billing" in await room.until_ready("False", reasons.SERVICE_MISSING)
    await room.apply(SERVICE)
    assert "the answer is 503" in await room.until_ready("False", reasons.UNREACHABLE)
    room.agent.document = {"id": "billing"}
    assert "capabilities: is missing" in await room.until_ready("False", reasons.INVALID_DOCUMENT)
    room.agent.document = capabilities(("bill", "1.0.0"))
    await room.until_channel("RESOLVED")
    await room.until_ready("True", reasons.DISCOVERED)


async def test_a_deployment_that_is_no_agent_any_more_has_none(room: Room) -> None:
    await room.apply(SERVICE, workload())
    await room.until_ready("True", reasons.DISCOVERED)
    await room.kubectl("label", "deployment", "billing", "lmos-agent-")
    await room.until_gone()


_WRITTEN = """
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: billing, labels: {LABELS}}
spec: {supportedChannels: [old], providedCapabilities: [{name: bill, version: 0.1.0}]}
"""


async def test_an_agent_that_the_jvm_operator_left_is_taken_over(room: Room) -> None:
    await room.kubectl("create", "-f", "-", stdin=_WRITTEN.replace("LABELS", '"lmos-agent": "true"'))
    await room.apply(CHANNEL, SERVICE, workload())
    await room.until_channel("RESOLVED")
    agent = await room.get("agent", "billing")
    assert agent["spec"]["supportedChannels"] == ["web"]
    assert len(agent["metadata"]["ownerReferences"]) == 1


@pytest.mark.parametrize(
    "labels", ["", '"lmos-agent": "true", "app.kubernetes.io/managed-by": "Helm"'], ids=["", "helm"]
)
async def test_an_agent_that_people_wrote_stays_theirs_and_the_deployment_says_so(room: Room, labels: str) -> None:
    await room.kubectl("create", "-f", "-", stdin=_WRITTEN.replace("LABELS", labels))
    await room.apply(SERVICE, workload())
    assert reasons.NAME_TAKEN in await room.reasons_of("Deployment")
    agent = await room.get("agent", "billing")
    assert agent["spec"]["supportedChannels"] == ["old"]
    assert "ownerReferences" not in agent["metadata"]
    taken = {c["type"]: (c["status"], c["reason"]) for c in agent["status"]["conditions"]}
    assert taken == {"Ready": ("True", reasons.DECLARED), "Discovered": ("False", reasons.NAME_TAKEN)}
    assert not room.agent.asked.is_set()


async def test_an_agent_that_people_write_while_the_deployment_is_asked_stays_theirs(room: Room) -> None:
    room.agent.open.clear()
    await room.apply(SERVICE, workload())
    with anyio.fail_after(_PATIENCE):
        await room.agent.asked.wait()
    await room.kubectl("delete", "agent", "billing", "--ignore-not-found")
    await room.kubectl("create", "-f", "-", stdin=_WRITTEN.replace("LABELS", ""))
    room.agent.open.set()
    assert reasons.NAME_TAKEN in await room.reasons_of("Deployment")
    agent = await room.get("agent", "billing")
    assert agent["spec"]["supportedChannels"] == ["old"]
    assert "ownerReferences" not in agent["metadata"]


async def test_the_guides_deployment_becomes_an_agent(room: Room) -> None:
    (page,) = (page for page in PAGES if page.name == "discover-agents.md")
    (manifests,) = (fence.body for fence in fences(page) if fence.title == "billing-deployment.yaml")
    await room.apply(manifests)
    await room.until_ready("True", reasons.DISCOVERED)
    endpoint = (await room.get("agent", "billing"))["spec"]["endpoint"]
    assert endpoint["url"].endswith(".svc.cluster.local:80")


async def test_argos_kind_may_be_installed_later(new_cluster: Callable[..., Cluster]) -> None:
    bare = new_cluster(parts=API_SERVER, crds=[crds_yaml()])
    async with operator(bare, "default", {}) as manager:
        await asyncio.to_thread(bare.apply, CHANNEL)
        resolved = ("wait", "channel/web", "--for=jsonpath={.status.resolveStatus}=UNRESOLVED", "--timeout=20s")
        await asyncio.to_thread(bare.kubectl, *resolved)
        assert not manager.healthy
        await asyncio.to_thread(bare.install, definitions(bare.binaries.data))
        await asyncio.to_thread(bare.apply, workload("Rollout"))
        await asyncio.to_thread(bare.kubectl, "wait", "agent/billing", "--for=create", "--timeout=20s")
        assert manager.healthy
