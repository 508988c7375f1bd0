"""The operator's REST API, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from inline_snapshot import snapshot
from starlette.applications import Starlette
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from lmos.database.engine import Database
from lmos.operator import reasons
from lmos.operator.api import find_channels, routes
from lmos.operator.base import Listing, StoreError
from lmos.operator.cache import Cache, Informer
from lmos.operator.catalog import Catalog
from lmos.operator.derive import routing_for, status_for
from lmos.operator.resolver import resolve
from lmos.operator.sqlite import SqliteStore
from lmos.operator.views import Views
from lmos.resources.channel import Channel
from lmos.testing.clock import VirtualClock
from tests.operator.builders import LABELS, agent, channel

FRESH = channel(("bill", "^1.0.0"), name="fresh", labels=LABELS | {"channel": "ivr"})
WEB = channel(("bill", "^1.0.0"), name="web")
CANARY = channel(("bill", "*"), name="canary", labels=LABELS | {"subset": "canary"})
FAR = channel(("bill", "*"), name="far", namespace="far")
UNLABELLED = channel(("bill", "*"), name="unlabelled", labels={"tenant": "acme", "channel": "app"})


class Cluster:
    """A store whose objects carry what a Kubernetes API server adds."""

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        managed = ({"manager": "kubectl", "operation": "Apply"},)
        return Listing((WEB.with_meta(managed_fields=managed),), "9")


class Broken:
    """A store that cannot be read."""

    async def list(self, kind: str, namespace: str, selector: Mapping[str, str] | None = None) -> Listing:
        raise StoreError("the disk is full")


async def _fill(store: SqliteStore) -> None:
    """Five channels; `web` as the operator leaves it."""
    for resource in (FRESH, WEB, CANARY, FAR, UNLABELLED):
        await store.apply(resource, field_manager="test")
    web = await store.get("Channel", "default", "web")
    assert isinstance(web, Channel)
    resolution = resolve(web, [agent("billing", ("bill", "1.2.0"))])
    await store.apply(routing_for(web, resolution, platform_host=None), field_manager="test")
    status = status_for(web, resolution, VirtualClock().now())
    await store.update_status(web.model_copy(update={"status": status}), field_manager="test")


async def _copied(store: SqliteStore) -> Catalog:
    """What an operator that watches two namespaces has in its caches."""
    views = Views()
    catalog = Catalog(views.channels, views.routings)
    for namespace in ("default", "far"):
        await _copy(store, views.channels, catalog, namespace)
        await _copy(store, views.routings, catalog, namespace)
    return catalog


async def _copy(store: SqliteStore, cache: Cache[Any], catalog: Catalog, namespace: str) -> None:
    feed = catalog.feed(cache.kind, namespace)
    informer = Informer(store, cache, namespace, lambda old, new: None, feed=feed)
    running = asyncio.create_task(informer.run())
    await informer.synced.wait()
    running.cancel()
    await asyncio.wait((running,))


@pytest.fixture(scope="module", params=["store", "caches"])
def client(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    path = tmp_path_factory.mktemp("api") / "lmos.db"
    with start_blocking_portal() as portal:
        database = Database.open(path, synchronous="normal")
        store = SqliteStore(database, VirtualClock())
        portal.call(_fill, store)
        read = portal.call(_copied, store) if request.param == "caches" else store
        with TestClient(Starlette(routes=list(routes(read)))) as client:
            yield client
        portal.call(store.aclose)
        portal.call(database.aclose)


def _names(documents: list[dict[str, Any]]) -> list[str]:
    return [document["metadata"]["name"] for document in documents]


def test_a_fresh_channel_has_no_status(client: TestClient) -> None:
    answer = client.get("/apis/v1/tenants/acme/channels/ivr")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.dumps(answer.json(), separators=(",", ":")).encode() == answer.content
    assert answer.json() == snapshot(
        {
            "apiVersion": "lmos.eclipse/v1",
            "kind": "Channel",
            "metadata": {
                "creationTimestamp": "2026-11-25T09:00:00Z",
                "generation": 1,
                "labels": {"tenant": "acme", "channel": "ivr", "version": "1.0.0", "subset": "stable"},
                "name": "fresh",
                "namespace": "default",
                "resourceVersion": "1",
                "uid": "00000000-0000-4000-8000-000000000001",
            },
            "spec": {"requiredCapabilities": [{"id": "", "name": "bill", "version": "^1.0.0", "strategy": "HIGHEST"}]},
        }
    )
    assert list(answer.json()) == ["apiVersion", "kind", "metadata", "spec"]


def test_a_resolved_channel_shows_an_empty_list_of_unresolved_capabilities(client: TestClient) -> None:
    status = client.get("/apis/v1/tenants/acme/channels/web").json()["status"]
    assert status == snapshot(
        {
            "resolveStatus": "RESOLVED",
            "observedGeneration": 1,
            "conditions": [
                {
                    "type": "Resolved",
                    "status": "True",
                    "reason": "AllCapabilitiesProvided",
                    "message": "capabilities: 1, agents: 1",
                    "lastTransitionTime": "2026-11-25T09:00:00Z",
                    "observedGeneration": 1,
                }
            ],
            "unresolvedRequiredCapabilities": [],
        }
    )


def test_a_routing_comes_without_its_owner(client: TestClient) -> None:
    answer = client.get("/apis/v1/tenants/acme/channels/web/routing")
    assert json.dumps(answer.json(), separators=(",", ":")).encode() == answer.content
    assert answer.json() == snapshot(
        {
            "apiVersion": "lmos.eclipse/v1",
            "kind": "ChannelRouting",
            "metadata": {
                "creationTimestamp": "2026-11-25T09:00:00Z",
                "generation": 1,
                "labels": {"channel": "web", "tenant": "acme", "version": "1.0.0", "subset": "stable"},
                "name": "web",
                "namespace": "default",
                "resourceVersion": "6",
                "uid": "00000000-0000-4000-8000-000000000006",
            },
            "spec": {
                "capabilityGroups": [
                    {
                        "id": "id-billing",
                        "name": "billing",
                        "description": "agent billing",
                        "capabilities": [
                            {
                                "id": "c-bill",
                                "name": "bill",
                                "requiredVersion": "^1.0.0",
                                "providedVersion": "1.2.0",
                                "host": "billing.default.svc.cluster.local",
                                "description": "",
                                "examples": ["e"],
                            }
                        ],
                    }
                ]
            },
        }
    )


def test_channels_of_a_tenant_are_a_json_array(client: TestClient) -> None:
    assert _names(client.get("/apis/v1/tenants/acme/channels").json()) == ["fresh", "web"]


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        ({}, ["fresh", "web"]),
        ({"x-subset": "stable"}, ["fresh", "web"]),
        ({"x-subset": "canary"}, ["canary"]),
        ({"x-namespace": "far"}, ["far"]),
        ({"x-namespace": "far", "x-subset": "canary"}, []),
        ({"x-namespace": "*"}, []),
        ({"x-subset": ""}, []),
    ],
    ids=["default", "stable", "canary", "namespace", "both", "no-wildcard", "empty-subset"],
)
def test_subset_and_namespace_come_from_headers(client: TestClient, headers: dict[str, str], names: list[str]) -> None:
    assert _names(client.get("/apis/v1/tenants/acme/channels", headers=headers).json()) == names


def test_no_channels_is_an_empty_array(client: TestClient) -> None:
    answer = client.get("/apis/v1/tenants/nobody/channels")
    assert (answer.status_code, answer.content) == (200, b"[]")


@pytest.mark.parametrize(
    "path",
    ["acme/channels/nowhere", "globex/channels/web", "acme/channels/nowhere/routing", "acme/channels/ivr/routing"],
)
def test_what_does_not_exist_is_404_with_an_empty_body(client: TestClient, path: str) -> None:
    answer = client.get(f"/apis/v1/tenants/{path}")
    assert (answer.status_code, answer.content) == (404, b"")
    assert "content-type" not in answer.headers


def test_a_channel_without_subset_label_is_not_shown(client: TestClient) -> None:
    assert client.get("/apis/v1/tenants/acme/channels/app").status_code == 404


def test_only_get_is_served(client: TestClient) -> None:
    assert client.post("/apis/v1/tenants/acme/channels").status_code == 405


@pytest.mark.anyio
async def test_managed_fields_are_not_shown() -> None:
    (found,) = await find_channels(Cluster(), "default", "acme", "stable")
    assert "managedFields" not in found["metadata"]


def test_a_fault_of_the_store_is_503_and_one_log_line() -> None:
    with TestClient(Starlette(routes=list(routes(Broken())))) as client, capture_logs() as logs:
        answer = client.get("/apis/v1/tenants/acme/channels")
    assert (answer.status_code, answer.json()) == (503, {"error": "the disk is full"})
    assert [line["event"] for line in logs] == [reasons.EVENT_REQUEST_FAILED]


PATHS = ["channels", "channels/web", "channels/web/routing"]


@pytest.mark.parametrize("path", PATHS)
def test_before_the_caches_are_filled_nothing_is_said_to_be_missing(path: str) -> None:
    views = Views()
    catalog = Catalog(views.channels, views.routings)
    for cache in (views.channels, views.routings):
        catalog.feed(cache.kind, "default")
    with TestClient(Starlette(routes=list(routes(catalog)))) as client, capture_logs() as logs:
        answer = client.get(f"/apis/v1/tenants/acme/{path}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "not listed yet" in answer.json()["error"]
    assert logs == []


@pytest.mark.parametrize("path", PATHS)
def test_a_namespace_that_the_operator_does_not_watch_is_404_and_says_so(path: str) -> None:
    views = Views()
    catalog = Catalog(views.channels, views.routings)
    for cache in (views.channels, views.routings):
        catalog.feed(cache.kind, "default").listed(Listing((), "1"), vanished=False)
    with TestClient(Starlette(routes=list(routes(catalog)))) as client:
        answer = client.get(f"/apis/v1/tenants/acme/{path}", headers={"x-namespace": "far"})
    assert answer.status_code == 404
    assert answer.json() == {"error": "namespace 'far' is not watched here; watched: default"}
