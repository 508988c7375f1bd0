"""A copy of an operator elsewhere: kept up to date, kept while the operator is away, from whichever replica answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lmos.operator.base import StoreError
from lmos.operator.mirror import Mirror
from lmos.operator.remote import RemoteOperator
from lmos.resources.routing import ChannelRouting
from lmos.server.background import running
from tests.operator.builders import channel
from tests.operator.remote_operators import OriginalOperator, OurOperator, channel_routing, listening, serving_on

pytestmark = pytest.mark.anyio

WEB = channel_routing("web", "billing")
APP = channel_routing("app", "billing", channel="app")


@asynccontextmanager
async def mirroring(url: str, *, ask_again: float = 0.05) -> AsyncGenerator[Mirror]:
    async with RemoteOperator(url, ask_again=ask_again) as remote:
        mirror = Mirror(remote, "default")
        async with running(mirror.run(), "mirror"):
            yield mirror


async def names(mirror: Mirror) -> list[str]:
    return [found.metadata.name for found in (await mirror.catalog.list("ChannelRouting", "default")).items]


async def agents(mirror: Mirror, name: str = "web") -> list[str]:
    found = await mirror.catalog.get("ChannelRouting", "default", name)
    return [group.name for group in found.spec.capability_groups] if isinstance(found, ChannelRouting) else []


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            result = condition()
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.01)


async def until_agents(mirror: Mirror, wanted: list[str]) -> None:
    async def there() -> bool:
        return await agents(mirror) == wanted

    await until(there)


async def until_names(mirror: Mirror, wanted: list[str]) -> None:
    async def there() -> bool:
        return await names(mirror) == wanted

    await until(there)


async def test_a_mirror_has_what_the_operator_has_and_follows_it() -> None:
    operator = OurOperator()
    operator.put(WEB)
    with listening() as sock:
        async with serving_on(sock, operator) as url, mirroring(url) as mirror:
            await mirror.copied()
            assert await names(mirror) == ["web"]
            operator.put(channel_routing("web", "contract"))
            await until_agents(mirror, ["contract"])
            operator.remove(WEB)
            await until_agents(mirror, [])


async def test_a_change_is_there_within_a_fraction_of_a_second() -> None:
    operator = OurOperator()
    operator.put(WEB)
    loop = asyncio.get_running_loop()
    with listening() as sock:
        async with serving_on(sock, operator) as url, mirroring(url) as mirror:
            await mirror.copied()
            await asyncio.sleep(0.2)
            began = loop.time()
            operator.put(channel_routing("web", "contract"))
            await until_agents(mirror, ["contract"])
            assert loop.time() - began < 0.5


async def test_while_the_operator_is_away_the_copy_stays_and_then_catches_up() -> None:
    operator = OurOperator()
    operator.put(WEB)
    with listening() as sock:
        async with serving_on(sock, operator) as url:
            mirror_context = mirroring(url)
            mirror = await mirror_context.__aenter__()
            await mirror.copied()
        await asyncio.sleep(0.3)
        assert await agents(mirror) == ["billing"]
        again = OurOperator()
        again.version = operator.version
        again.put(channel_routing("web", "contract"))
        again.forget()
        async with serving_on(sock, again):
            await until_agents(mirror, ["contract"])
            await mirror_context.__aexit__(None, None, None)


async def test_what_vanished_while_another_replica_took_over_is_gone() -> None:
    operator, other = OurOperator(), OurOperator()
    for replica in (operator, other):
        replica.put(WEB)
        replica.put(APP)
    other.remove(APP)
    other.forget()
    with listening() as sock:
        async with serving_on(sock, operator) as url:
            mirror_context = mirroring(url)
            mirror = await mirror_context.__aenter__()
            await mirror.copied()
            assert await names(mirror) == ["app", "web"]
        async with serving_on(sock, other):
            await until_names(mirror, ["web"])
            await mirror_context.__aexit__(None, None, None)


async def test_before_anything_was_copied_nothing_is_said_to_be_missing() -> None:
    with listening() as sock:
        port: int = sock.getsockname()[1]
        sock.close()
        async with mirroring(f"http://127.0.0.1:{port}") as mirror:
            await until(lambda: bool(mirror.trouble))
            assert "cannot be reached" in mirror.trouble
            with pytest.raises(StoreError, match="not listed yet"):
                await mirror.list("ChannelRouting", "default", {"tenant": "acme"})


async def test_questions_about_other_namespaces_are_passed_on() -> None:
    operator = OurOperator()
    far = channel(("bill", "*"), name="far", namespace="far")
    original = OriginalOperator(far.with_meta(resource_version="1"))
    labels = {"tenant": "acme", "channel": "web", "subset": "stable"}
    with listening() as sock:
        async with serving_on(sock, operator) as url, mirroring(url) as mirror:
            await mirror.copied()
            assert (await mirror.list("Channel", "far", labels)).items == ()
    with listening() as sock:
        async with serving_on(sock, original) as url, mirroring(url) as mirror:
            await until(lambda: bool(original.asked))
            (found,) = (await mirror.list("Channel", "far", labels)).items
            assert found.metadata.name == "far"


async def test_an_operator_of_eclipse_lmos_may_be_exchanged_for_ours_and_back() -> None:
    original, ours = OriginalOperator(WEB), OurOperator()
    ours.put(channel_routing("web", "contract"))
    labels = {"tenant": "acme", "channel": "web", "subset": "stable"}

    async def listed(mirror: Mirror) -> list[str]:
        (found,) = (await mirror.list("ChannelRouting", "default", labels)).items
        assert isinstance(found, ChannelRouting)
        return [group.name for group in found.spec.capability_groups]

    with listening() as sock:
        async with serving_on(sock, original) as url:
            mirror_context = mirroring(url)
            mirror = await mirror_context.__aenter__()
            await until(lambda: "/apis/v1/tenants/lmos/channels" in original.asked)
            await asyncio.sleep(0.05)
            assert await listed(mirror) == ["billing"]
            assert mirror.stuck() == []
        async with serving_on(sock, ours):
            async with asyncio.timeout(15):
                await mirror.copied()
            assert await listed(mirror) == ["contract"]
        original.asked.clear()
        async with serving_on(sock, original):
            await until(lambda: "/apis/v1/tenants/lmos/channels" in original.asked)
            await asyncio.sleep(0.05)
            assert await listed(mirror) == ["billing"]
            await mirror_context.__aexit__(None, None, None)
