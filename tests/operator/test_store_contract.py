"""What every `Store` must do with objects, run against each variant. Owners and watches have suites of their own."""

from __future__ import annotations

import asyncio

import pytest

from lmos.operator.base import ALL_NAMESPACES, Conflict, NotFound, Store, StoreError
from lmos.resources.agent import Agent, AgentSpec, Endpoint
from lmos.resources.base import ObjectMeta
from lmos.resources.channel import Channel
from tests.operator.backends import Backend
from tests.operator.contract import RESOLVED, agent, apply, channel, owned

pytestmark = pytest.mark.anyio


# Objects


async def test_what_was_applied_can_be_read(store: Store) -> None:
    given = agent("a", namespace="n1", description="d", subset="canary")
    applied = await store.apply(given, field_manager="test")
    found = await store.get("Agent", "n1", "a")
    assert found == applied
    assert isinstance(found, Agent)
    assert (found.spec, found.metadata.labels) == (given.spec, given.metadata.labels)


async def test_a_new_object_gets_what_the_server_owns(store: Store) -> None:
    applied = await store.apply(agent("a"), field_manager="test")
    meta = applied.metadata
    assert meta.uid
    assert meta.generation == 1
    assert meta.resource_version is not None
    assert meta.creation_timestamp is not None
    assert meta.creation_timestamp.endswith("Z")


async def test_an_unknown_object_is_none(store: Store) -> None:
    assert await store.get("Agent", "default", "a") is None


async def test_an_unknown_kind_is_an_error_that_names_the_known_ones(store: Store) -> None:
    with pytest.raises(StoreError, match=r"unknown kind 'Pod'.*agents"):
        await store.get("Pod", "default", "a")


async def test_an_equal_object_is_not_written(store: Store) -> None:
    first = await apply(store, agent("a", description="d", subset="canary"))
    again = await store.apply(agent("a", description="d", subset="canary"), field_manager="test")
    assert again == first
    assert await store.get("Agent", "default", "a") == first


async def test_a_changed_spec_bumps_generation_and_version(store: Store) -> None:
    first = (await apply(store, agent("a", description="1"))).metadata
    second = (await apply(store, agent("a", description="2"))).metadata
    assert second.generation == 2
    assert int(second.resource_version or 0) > int(first.resource_version or 0)
    assert (second.uid, second.creation_timestamp) == (first.uid, first.creation_timestamp)


async def test_changed_labels_bump_only_the_version(store: Store) -> None:
    first = (await apply(store, agent("a"))).metadata
    second = (await apply(store, agent("a", tier="gold"))).metadata
    assert (second.generation, second.labels) == (1, {"tier": "gold"})
    assert second.resource_version != first.resource_version


async def test_what_it_must_not_have_goes_whoever_has_set_it(store: Store) -> None:
    theirs = agent("a", tier="gold", subset="canary").with_meta(annotations={"note": "theirs"})
    await store.apply(theirs, field_manager="people")
    found = await store.apply(agent("a"), field_manager="operator", without=("subset", "note", "other"))
    assert "subset" not in found.metadata.labels
    assert found.metadata.annotations == {}
    again = await store.apply(agent("a"), field_manager="operator", without=("subset", "note", "other"))
    assert again == found


async def test_an_object_created_again_is_a_new_one(store: Store) -> None:
    first = (await apply(store, agent("a"))).metadata
    await store.delete("Agent", "default", "a")
    second = (await apply(store, agent("a"))).metadata
    assert second.uid != first.uid
    assert second.generation == 1


async def test_deleting_tells_whether_there_was_an_object(store: Store) -> None:
    await apply(store, agent("a"))
    assert await store.delete("Agent", "default", "a") is True
    assert await store.delete("Agent", "default", "a") is False
    assert await store.get("Agent", "default", "a") is None


async def test_namespaces_are_apart(store: Store) -> None:
    await apply(store, agent("a", namespace="n1", description="1"))
    await apply(store, agent("a", namespace="n2", description="2"))
    await store.delete("Agent", "n1", "a")
    assert [a.metadata.namespace for a in (await store.list("Agent", ALL_NAMESPACES)).items] == ["n2"]


async def test_a_list_is_ordered_by_namespace_and_name(store: Store) -> None:
    for namespace, name in [("n2", "a"), ("n1", "b"), ("n1", "a")]:
        await apply(store, agent(name, namespace=namespace))
    await apply(store, channel())
    listing = await store.list("Agent", ALL_NAMESPACES)
    assert [(a.metadata.namespace, a.metadata.name) for a in listing.items] == [("n1", "a"), ("n1", "b"), ("n2", "a")]
    assert [a.metadata.name for a in (await store.list("Agent", "n1")).items] == ["a", "b"]


async def test_a_selector_takes_objects_that_have_all_its_labels(store: Store) -> None:
    await apply(store, agent("both", tier="gold", subset="canary"))
    await apply(store, agent("one", tier="gold"))
    await apply(store, agent("other", tier="silver", subset="canary"))
    listing = await store.list("Agent", "default", {"tier": "gold", "subset": "canary"})
    assert [a.metadata.name for a in listing.items] == ["both"]


async def test_apply_replaces_the_whole_spec_whoever_wrote_it(store: Store) -> None:
    endpoint = Endpoint(url="http://a:8080")
    written = Agent(metadata=ObjectMeta(name="a"), spec=AgentSpec(description="1", endpoint=endpoint))
    await store.apply(written, field_manager="somebody")
    found = await apply(store, agent("a", description="2"))
    assert isinstance(found, Agent)
    assert found.spec == AgentSpec(description="2")


# Status


async def test_apply_leaves_the_status_alone(store: Store) -> None:
    await apply(store, channel())
    await store.update_status(channel().model_copy(update={"status": RESOLVED}), field_manager="operator")
    changed = channel().model_copy(update={"status": None}).with_meta(labels={"tenant": "acme"})
    found = await apply(store, changed)
    assert isinstance(found, Channel)
    assert found.status == RESOLVED


async def test_a_new_object_has_no_status_whatever_was_applied(store: Store) -> None:
    found = await apply(store, channel().model_copy(update={"status": RESOLVED}))
    assert isinstance(found, Channel)
    assert found.status is None


async def test_a_status_write_changes_only_the_status(store: Store) -> None:
    before = await apply(store, channel().with_meta(labels={"tenant": "acme"}))
    bare = channel().model_copy(update={"status": RESOLVED})
    after = await store.update_status(bare, field_manager="operator")
    assert isinstance(after, Channel)
    assert after.status == RESOLVED
    assert after.metadata.generation == 1
    assert after.metadata.labels == {"tenant": "acme"}
    assert after.metadata.resource_version != before.metadata.resource_version


async def test_an_equal_status_is_not_written(store: Store) -> None:
    await apply(store, channel())
    written = channel().model_copy(update={"status": RESOLVED})
    first = await store.update_status(written, field_manager="operator")
    assert await store.update_status(written, field_manager="operator") == first


async def test_the_status_of_an_unknown_object_cannot_be_written(store: Store) -> None:
    with pytest.raises(NotFound, match=r"channel/web \(namespace default\) does not exist"):
        await store.update_status(channel(), field_manager="operator")


async def test_the_status_of_a_kind_without_one_cannot_be_written(store: Store) -> None:
    routing = await apply(store, owned("web"))
    with pytest.raises(StoreError, match="ChannelRouting has no status; apply it instead"):
        await store.update_status(routing, field_manager="operator")


# Conditional writes


async def test_a_write_with_the_current_version_succeeds(store: Store) -> None:
    found = await apply(store, agent("a"))
    changed = found.model_copy(update={"spec": AgentSpec(description="new")})
    written = await store.apply(changed, field_manager="test")
    assert written.metadata.generation == 2


async def test_a_write_with_an_old_version_is_a_conflict(store: Store) -> None:
    old = await apply(store, agent("a", description="1"))
    await apply(store, agent("a", description="2"))
    with pytest.raises(Conflict, match="read it and retry"):
        await apply(store, old.model_copy(update={"spec": AgentSpec(description="3")}))
    found = await store.get("Agent", "default", "a")
    assert isinstance(found, Agent)
    assert found.spec.description == "2"


async def test_a_status_write_with_an_old_version_is_a_conflict(store: Store) -> None:
    old = await apply(store, channel())
    await apply(store, channel().with_meta(labels={"tenant": "acme"}))
    with pytest.raises(Conflict):
        await store.update_status(old.model_copy(update={"status": RESOLVED}), field_manager="operator")


async def test_a_write_with_the_version_of_a_deleted_object_is_a_conflict(store: Store) -> None:
    old = await apply(store, agent("a"))
    await store.delete("Agent", "default", "a")
    with pytest.raises(Conflict, match="does not exist"):
        await apply(store, old)


async def test_a_write_with_the_uid_of_an_earlier_object_is_a_conflict(store: Store) -> None:
    old = await apply(store, agent("a"))
    await store.delete("Agent", "default", "a")
    await apply(store, agent("a"))
    with pytest.raises(Conflict, match="was created again"):
        await apply(store, old.with_meta(resource_version=None))


async def test_concurrent_writes_of_one_object_are_serialised(backend: Backend) -> None:
    stores = [backend.open(), backend.open()]
    await asyncio.gather(*[apply(stores[i % 2], agent("a", description=str(i))) for i in range(50)])
    found = await stores[0].get("Agent", "default", "a")
    assert found is not None
    assert found.metadata.generation == 50


async def test_no_update_is_lost_among_conditional_writers(store: Store) -> None:
    await apply(store, agent("a"))

    async def add_label(label: str) -> None:
        while True:
            found = await store.get("Agent", "default", "a")
            assert found is not None
            try:
                await apply(store, found.with_meta(labels={**found.metadata.labels, label: "yes"}))
            except Conflict:
                continue
            return

    await asyncio.gather(*[add_label(f"l{i}") for i in range(20)])
    found = await store.get("Agent", "default", "a")
    assert found is not None
    assert len(found.metadata.labels) == 20
