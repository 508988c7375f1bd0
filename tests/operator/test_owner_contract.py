"""What every `Store` must do with what a deleted object owned, run against each variant.

A garbage collector takes its time. That it leaves something alone is seen once it has removed something else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from lmos.operator.base import Store
from tests.operator.backends import Backend
from tests.operator.contract import apply, changes, channel, now, owned, until_gone

pytestmark = pytest.mark.anyio

UntilGone = Callable[[str], Awaitable[None]]


@pytest.fixture
def routing_gone(store: Store, backend: Backend) -> UntilGone:
    """Waits until the ChannelRouting of a name is gone, as long as the backend may take for it."""
    return lambda name: until_gone(store, "ChannelRouting", name, backend.collects_within)


async def collected(store: Store, routing_gone: UntilGone) -> None:
    """Wait until what was to be removed until now is removed."""
    await apply(store, owned("canary", await apply(store, channel("canary"))))
    await store.delete("Channel", "default", "canary")
    await routing_gone("canary")


async def test_an_owned_object_goes_with_its_owner(store: Store, routing_gone: UntilGone) -> None:
    owner = await apply(store, channel())
    await apply(store, owned("web", owner))
    since = await now(store)
    await store.delete("Channel", "default", "web")
    await routing_gone("web")
    assert await changes(store, "Channel", since, 1) == [("deleted", "web")]
    assert await changes(store, "ChannelRouting", since, 1) == [("deleted", "web")]


async def test_removal_follows_chains_of_owners(store: Store, routing_gone: UntilGone) -> None:
    first = await apply(store, channel())
    second = await apply(store, owned("second", first))
    await apply(store, owned("third", second))
    await store.delete("Channel", "default", "web")
    await routing_gone("second")
    await routing_gone("third")


async def test_an_object_with_another_owner_stays_and_forgets_the_one_that_went(
    store: Store, routing_gone: UntilGone
) -> None:
    first, second = await apply(store, channel("one")), await apply(store, channel("two"))
    await apply(store, owned("both", first, second))
    since = await now(store)
    await store.delete("Channel", "default", "one")
    assert await changes(store, "ChannelRouting", since, 1) == [("modified", "both")]
    found = await store.get("ChannelRouting", "default", "both")
    assert found is not None
    assert [owner.name for owner in found.metadata.owner_references] == ["two"]
    await store.delete("Channel", "default", "two")
    await routing_gone("both")


async def test_an_object_that_lost_its_owner_reference_stays(store: Store, routing_gone: UntilGone) -> None:
    owner = await apply(store, channel())
    await apply(store, owned("web", owner))
    await apply(store, owned("web"))
    await store.delete("Channel", "default", "web")
    await collected(store, routing_gone)
    assert await store.get("ChannelRouting", "default", "web") is not None


async def test_an_object_of_the_same_name_that_is_not_owned_stays(store: Store, routing_gone: UntilGone) -> None:
    await apply(store, channel())
    await apply(store, owned("web"))
    await store.delete("Channel", "default", "web")
    await collected(store, routing_gone)
    assert await store.get("ChannelRouting", "default", "web") is not None
