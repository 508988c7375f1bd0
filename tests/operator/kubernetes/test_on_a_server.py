"""What the store makes of a real API server's manners: field managers, refusals, conditions on writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lmos.operator.base import ALL_NAMESPACES, Conflict, NotFound, StoreError
from lmos.operator.kubernetes.client import Client, Json
from lmos.operator.kubernetes.connect import connect
from lmos.operator.kubernetes.errors import (
    FieldConflict,
    Forbidden,
    Invalid,
    NotServed,
    Stale,
    Terminating,
    Unauthorized,
)
from lmos.operator.kubernetes.kinds import api_resource
from lmos.operator.kubernetes.store import KubernetesStore
from lmos.resources.agent import Agent, AgentSpec, AgentStatus, Endpoint, ProvidedCapability
from lmos.resources.base import Condition, ObjectMeta
from lmos.resources.channel import Channel, ChannelSpec, ChannelStatus, ResolveStatus
from lmos.resources.routing import ChannelRouting
from tools.testcluster import Access

pytestmark = pytest.mark.anyio

OURS = Condition(type="Resolved", status="True", reason="Done", last_transition_time="2026-01-01T00:00:00Z")


@pytest.fixture
async def client(api_server: Access) -> AsyncIterator[Client]:
    async with connect(kubeconfig=str(api_server.kubeconfig())) as client:
        yield client


@pytest.fixture
def store(client: Client) -> KubernetesStore:
    return KubernetesStore(client)


def agent(namespace: str, name: str = "a", **spec: Any) -> Agent:
    return Agent(metadata=ObjectMeta(name=name, namespace=namespace), spec=AgentSpec(**spec))


def channel(namespace: str) -> Channel:
    return Channel(metadata=ObjectMeta(name="web", namespace=namespace), spec=ChannelSpec(required_capabilities=()))


async def raw(client: Client, kind: str, namespace: str, name: str) -> Json:
    return await client.get(api_resource(kind).path(namespace, name))


async def test_texts_are_stored_as_they_are(store: KubernetesStore, namespace: str) -> None:
    # All that JSON can say. An apply is read as YAML, which would refuse some of it and take some for ends of lines.
    text = "".join(map(chr, [*range(0x180), *range(0x2020, 0x2030), 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F600, 0x1FFFE]))

    written = await store.apply(agent(namespace, description=text), field_manager="people")

    assert isinstance(written, Agent)
    assert written.spec.description == text
    assert await store.get("Agent", namespace, "a") == written


async def test_a_field_that_the_schema_does_not_know_is_refused(client: Client, namespace: str) -> None:
    body: Json = {"apiVersion": "lmos.eclipse/v1", "kind": "Agent", "metadata": {"name": "a"}, "spec": {"hue": "blue"}}

    with pytest.raises(Invalid, match=r"\.spec\.hue: field not declared in schema"):
        await client.apply(api_resource("Agent").path(namespace, "a"), body, field_manager="people")


# Field managers


async def test_a_status_is_what_was_written_whatever_another_manager_had_in_it(
    client: Client, store: KubernetesStore, namespace: str
) -> None:
    await store.apply(channel(namespace), field_manager="people")
    path = api_resource("Channel").path(namespace, "web", "status")
    theirs = OURS.model_copy(update={"type": "Theirs"}).model_dump(by_alias=True, exclude_none=True)
    missing = [{"id": "1", "name": "x", "version": "1"}]
    old = {"resolveStatus": "UNRESOLVED", "unresolvedRequiredCapabilities": missing, "conditions": [theirs]}
    await client.merge(path, {"status": old}, field_manager="jvm-operator")

    status = ChannelStatus(resolve_status=ResolveStatus.RESOLVED, conditions=(OURS,))
    written = await store.update_status(
        channel(namespace).model_copy(update={"status": status}), field_manager="lmos-operator-status"
    )

    assert isinstance(written, Channel)
    assert written.status == status
    assert (await raw(client, "Channel", namespace, "web"))["status"] == status.model_dump(
        mode="json", by_alias=True, exclude_none=True
    )


async def test_a_status_that_is_as_wanted_is_written_once(store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace), field_manager="people")
    wanted = agent(namespace).model_copy(update={"status": AgentStatus(observed_generation=1, conditions=(OURS,))})
    first = await store.update_status(wanted, field_manager="lmos-operator-status")
    again = await store.update_status(wanted, field_manager="lmos-operator-status")
    assert again == first


async def test_a_status_can_be_taken_away(client: Client, store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace), field_manager="people")
    wanted = agent(namespace).model_copy(update={"status": AgentStatus(observed_generation=1)})
    await store.update_status(wanted, field_manager="lmos-operator-status")
    await store.update_status(agent(namespace), field_manager="lmos-operator-status")
    assert "status" not in await raw(client, "Agent", namespace, "a")


async def test_labels_and_annotations_of_others_stay(client: Client, store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace).with_meta(labels={"mine": "1"}), field_manager="lmos")
    theirs = {"metadata": {"labels": {"theirs": "1"}, "annotations": {"note": "theirs"}}}
    await client.merge(api_resource("Agent").path(namespace, "a"), theirs, field_manager="kubectl-label")

    written = await store.apply(agent(namespace).with_meta(labels={"mine": "2"}), field_manager="lmos")

    assert written.metadata.labels == {"mine": "2", "theirs": "1"}
    assert written.metadata.annotations == {"note": "theirs"}


async def test_a_label_that_was_ours_goes_when_it_is_left_out(store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace).with_meta(labels={"mine": "1"}), field_manager="lmos")
    written = await store.apply(agent(namespace), field_manager="lmos")
    assert written.metadata.labels == {}


async def test_only_fields_that_were_written_are_owned(client: Client, store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace, description="d"), field_manager="lmos")
    (entry,) = (await raw(client, "Agent", namespace, "a"))["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("lmos", "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:description": {}}}


async def test_a_field_of_another_manager_is_a_conflict_that_names_both(store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace, description="theirs"), field_manager="kubectl")
    with pytest.raises(FieldConflict, match="take the fields over by force") as caught:
        await store.apply(agent(namespace, description="ours"), field_manager="lmos", force=False)
    (cause,) = caught.value.refusal.causes
    assert (cause.field, cause.message) == (".spec.description", 'conflict with "kubectl"')


async def test_fields_of_others_stay_without_force(store: KubernetesStore, namespace: str) -> None:
    endpoint = Endpoint(url="http://a:8080")
    await store.apply(agent(namespace, endpoint=endpoint), field_manager="kubectl")
    written = await store.apply(agent(namespace, description="ours"), field_manager="lmos", force=False)
    assert isinstance(written, Agent)
    assert (written.spec.endpoint, written.spec.description) == (endpoint, "ours")


async def test_fields_of_others_go_by_force(store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace, endpoint=Endpoint(url="http://a:8080")), field_manager="kubectl")
    written = await store.apply(agent(namespace, description="ours"), field_manager="lmos")
    assert isinstance(written, Agent)
    assert written.spec == AgentSpec(description="ours")


# Conditions on writes


async def test_a_version_without_a_uid_does_not_bring_a_deleted_object_back(
    store: KubernetesStore, namespace: str
) -> None:
    found = await store.apply(agent(namespace), field_manager="lmos")
    await store.delete("Agent", namespace, "a")
    with pytest.raises(Conflict, match="does not exist"):
        await store.apply(found.with_meta(uid=None), field_manager="lmos")
    assert await store.get("Agent", namespace, "a") is None


async def test_a_status_is_not_written_to_an_object_that_was_created_again(
    store: KubernetesStore, namespace: str
) -> None:
    old = await store.apply(agent(namespace), field_manager="lmos")
    await store.delete("Agent", namespace, "a")
    await store.apply(agent(namespace), field_manager="lmos")
    wanted = old.with_meta(resource_version=None).model_copy(update={"status": AgentStatus(observed_generation=1)})
    with pytest.raises(Conflict, match="was created again"):
        await store.update_status(wanted, field_manager="lmos")


async def test_many_writers_of_one_status_do_not_fail(store: KubernetesStore, namespace: str) -> None:
    await store.apply(agent(namespace), field_manager="lmos")
    wanted = [
        agent(namespace).model_copy(update={"status": AgentStatus(observed_generation=number)}) for number in range(50)
    ]
    written = await asyncio.gather(*[store.update_status(one, field_manager="lmos") for one in wanted])
    assert all(isinstance(one, Agent) and one.status is not None for one in written)


async def test_an_object_is_deleted_only_if_it_is_the_one(
    client: Client, store: KubernetesStore, namespace: str
) -> None:
    found = await store.apply(agent(namespace), field_manager="lmos")
    path = api_resource("Agent").path(namespace, "a")
    with pytest.raises(Stale, match="UID in the precondition"):
        await client.delete(path, uid="another")
    await client.delete(path, uid=found.metadata.uid)
    assert await store.get("Agent", namespace, "a") is None


# Refusals


async def test_what_may_not_be_done_is_named_with_the_verb_to_grant(api_server: Access, namespace: str) -> None:
    async with connect(kubeconfig=str(api_server.kubeconfig("nobody"))) as client:
        store = KubernetesStore(client)
        with pytest.raises(Forbidden, match=r"grant the verb 'list' on 'agents' of the API group 'lmos\.eclipse'"):
            await store.list("Agent", ALL_NAMESPACES)
        with pytest.raises(Forbidden, match="grant the verb 'patch' on 'agents/status'"):
            await store.update_status(agent(namespace), field_manager="lmos")
        with pytest.raises(Forbidden, match="grant the verb 'patch' on 'agents'"):
            await store.apply(agent(namespace), field_manager="lmos")
        with pytest.raises(Forbidden, match="grant the verb 'delete'"):
            await store.delete("Agent", namespace, "a")


async def test_a_namespace_that_is_missing_is_named(store: KubernetesStore) -> None:
    with pytest.raises(NotFound, match="kubectl create namespace nowhere"):
        await store.apply(agent("nowhere"), field_manager="lmos")


async def test_a_namespace_that_is_being_deleted_takes_nothing_new(
    client: Client, store: KubernetesStore, namespace: str
) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["lmos.test/hold"]}}
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    await client.create(maps, held)
    await client.delete(f"/api/v1/namespaces/{namespace}")
    try:
        with pytest.raises(Terminating, match="is being terminated; wait until it is gone"):
            await store.apply(agent(namespace), field_manager="lmos")
    finally:
        await client.merge(f"{maps}/held", {"metadata": {"finalizers": None}}, field_manager="test")


async def test_a_resource_without_a_crd_is_no_missing_object(client: Client) -> None:
    with pytest.raises(NotServed, match=r"lmos crds \| kubectl apply"):
        await client.get("/apis/lmos.eclipse/v1/namespaces/default/nothings/a")


async def test_a_token_that_the_server_does_not_know_is_refused(api_server: Access, tmp_path: Any) -> None:
    text = api_server.kubectl("config", "view", "--raw", "--flatten")
    token = next(line.split()[1] for line in text.splitlines() if line.strip().startswith("token:"))
    other = tmp_path / "kubeconfig"
    other.write_text(text.replace(token, "stale"))
    async with connect(kubeconfig=str(other)) as client:
        with pytest.raises(Unauthorized, match="renew those of the kubeconfig's user"):
            await KubernetesStore(client).get("Agent", "default", "a")


async def test_a_name_that_kubernetes_does_not_allow_is_refused_with_its_reason(
    store: KubernetesStore, namespace: str
) -> None:
    with pytest.raises(Invalid, match=r"422.*lowercase RFC 1123 subdomain.*correct the object"):
        await store.apply(agent(namespace, name="No_Name"), field_manager="lmos")


async def test_the_status_of_a_crd_without_one_says_so(client: Client, store: KubernetesStore, namespace: str) -> None:
    await store.apply(ChannelRouting(metadata=ObjectMeta(name="web", namespace=namespace)), field_manager="lmos")
    with pytest.raises(StoreError, match="has no status"):
        await store.update_status(
            ChannelRouting(metadata=ObjectMeta(name="web", namespace=namespace)), field_manager="lmos"
        )


# Sizes


async def test_ten_chunks_and_a_stream_tell_the_same(client: Client, store: KubernetesStore, namespace: str) -> None:
    for start in range(0, 120, 20):
        await asyncio.gather(
            *[store.apply(agent(namespace, name=f"a{i:03}"), field_manager="lmos") for i in range(start, start + 20)]
        )
    streamed = await store.list("Agent", namespace)
    chunked: list[str] = []
    query = {"limit": "10"}
    while True:
        page = await client.get(api_resource("Agent").path(namespace), query=query)
        chunked += [item["metadata"]["name"] for item in page["items"]]
        if not page["metadata"].get("continue"):
            break
        query["continue"] = page["metadata"]["continue"]
    assert [found.metadata.name for found in streamed.items] == chunked


async def test_an_object_of_a_megabyte_is_listed_and_watched(store: KubernetesStore, namespace: str) -> None:
    examples = tuple("x" * 4000 for _ in range(100))
    big = agent(
        namespace,
        provided_capabilities=tuple(
            ProvidedCapability(name=f"c{i}", version="1.0.0", examples=examples) for i in range(3)
        ),
    )
    since = (await store.list("Agent", namespace)).resource_version
    await store.apply(big, field_manager="lmos")
    events = store.watch("Agent", namespace, since)
    event = await anext(events)
    await events.aclose()
    (listed,) = (await store.list("Agent", namespace)).items
    assert event.resource == listed
    assert isinstance(listed, Agent)
    assert listed.spec == big.spec
