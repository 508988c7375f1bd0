"""The simulated API server answers as a real one does, word for word: the same requests to both."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from lmos.operator.kubernetes.config import configuration
from lmos.operator.kubernetes.connect import transport_to
from lmos.testing.api_server import ApiServer
from tests.testing.api_server.conversations import APPLY, MERGE, Conversation, Json, Step, differences
from tools.testcluster import Access

pytestmark = pytest.mark.anyio

AGENTS: Final = "/apis/lmos.eclipse/v1%/agents"
CHANNELS: Final = "/apis/lmos.eclipse/v1%/channels"
ROUTINGS: Final = "/apis/lmos.eclipse/v1%/channelroutings"
LEASES: Final = "/apis/coordination.k8s.io/v1%/leases"
EVENTS: Final = "/apis/events.k8s.io/v1%/events"
WATCH: Final = {"watch": "true", "timeoutSeconds": "1"}
STREAM: Final = {**WATCH, "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}

Sides = tuple[Conversation, Conversation]


@pytest.fixture
async def sides(api_server: Access, namespace: str) -> AsyncIterator[Sides]:
    """The real server, the simulated one."""
    real = transport_to(configuration(kubeconfig=str(api_server.kubeconfig())))
    simulated = ApiServer(namespaces=("default", namespace))
    yield Conversation(real, namespace), Conversation(simulated.transport(), namespace)
    await real.aclose()


async def _compared(sides: Sides, step: Step) -> list[str]:
    """How the answers to one request differ."""
    real, simulated = [await side.say(step) for side in sides]
    if real.code != simulated.code:
        return [f"really {real.code}, here {simulated.code}: {real.body} {simulated.body}"]
    return differences(real.body, simulated.body)


def _object(name: str, spec: Any = None, *, status: Any = None, kind: str = "Agent", **meta: Any) -> Json:
    found: Json = {"apiVersion": "lmos.eclipse/v1", "kind": kind, "metadata": {"name": name, **meta}}
    return found | ({} if spec is None else {"spec": spec}) | ({} if status is None else {"status": status})


def _post(body: Json, at: str = AGENTS, **options: Any) -> Step:
    return Step("POST", at, body, **options)


def _put(body: Json, part: str = "", *, at: str = AGENTS, by: str = "p", **options: Any) -> Step:
    return Step("PUT", f"{at}/{body['metadata']['name']}{part}", body, query={"fieldManager": by}, **options)


def _apply(
    body: Json, by: str = "m1", part: str = "", *, at: str = AGENTS, name: str = "", force: bool = True, **options: Any
) -> Step:
    query = {"fieldManager": by, "force": "true" if force else "false"}
    return Step("PATCH", f"{at}/{name or body['metadata']['name']}{part}", body, APPLY, query, **options)


def _merge(name: str, patch: Json, part: str = "", *, at: str = AGENTS, by: str = "mm") -> Step:
    return Step("PATCH", f"{at}/{name}{part}", patch, MERGE, {"fieldManager": by})


def _get(name: str = "", *, at: str = AGENTS, **query: str) -> Step:
    return Step("GET", f"{at}/{name}" if name else at, query=query)


def _delete(name: str, at: str = AGENTS, **preconditions: str) -> Step:
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    return Step("DELETE", f"{at}/{name}", options | {"preconditions": preconditions} if preconditions else options)


def _condition(name: str, status: str = "True") -> Json:
    since = "2026-01-01T00:00:00Z"
    return {"type": name, "status": status, "reason": "R", "message": "", "lastTransitionTime": since}


def _owner(name: str, **more: bool) -> Json:
    return {"apiVersion": "lmos.eclipse/v1", "kind": "Agent", "name": name, "uid": f"{{uid:{name}}}", **more}


ME: Final = _object("me", {"description": "d", "supportedChannels": ["web"], "endpoint": {"url": "http://x"}})
LABELLED: Final = _object("me", {"description": "e"}, labels={"x": "9"})

CONVERSATIONS: Final[dict[str, Sequence[Step]]] = {
    "what is not there": [
        _get("nobody"),
        _get(),
        _get(at="/apis/lmos.eclipse/v1/nobodies"),
        _get(at="/apis/lmos.eclipse/v9/agents"),
        _get(at="/nowhere"),
        _delete("nobody"),
        _merge("nobody", {}),
        _put(_object("nobody", resourceVersion="3")),
        _apply(_object("nobody", status={}), part="/status"),
        _apply(_object("nobody", status={}, kind="ChannelRouting"), part="/status", at=ROUTINGS),
        _apply(_object("nobody", uid="12")),
        _apply(_object("nobody", resourceVersion="1")),
        _post(_object("me"), at="/apis/lmos.eclipse/v1/namespaces/nowhere/agents"),
    ],
    "creates": [
        _post(ME, query={"fieldManager": "m1"}),
        _post(ME),
        _post(_object("unknown", {"bogus": 1})),
        _post(_object("strict", {"bogus": 1}), query={"fieldValidation": "Strict"}),
        _post(_object("Bad_Name")),
        _post(_object("elsewhere", namespace="other")),
        _post(_object("versioned", resourceVersion="1")),
        _post(_object("other", kind="Channel"), loosely=True),
        _post(_object("wrong", {"endpoint": {"protocol": "x"}}), loosely=True),
        _post(_object("no-spec", kind="Channel"), CHANNELS),
        _post(_object("bare-spec", {}, kind="Channel"), CHANNELS, loosely=True),
        Step("POST", AGENTS, b'{"a', loosely=True),
    ],
    "applies": [
        _post(ME | {"metadata": {"name": "me", "labels": {"x": "1", "y": "2"}}}, query={"fieldManager": "m1"}),
        _apply(LABELLED, "m2", force=False),
        _apply(_object("me", {"description": "e", "supportedChannels": ["b"]}, labels={"x": "9", "z": "3"}), "m2"),
        _apply(LABELLED, "m2"),
        _apply(LABELLED, "m2"),
        _apply(_object("me", {"description": "e"}, labels={"x": "9"}, resourceVersion="1"), "m2"),
        _apply(_object("me", {"description": "q"}, labels={"x": "9"}, resourceVersion="{version:me}", uid="{uid:me}")),
        _apply(_object("me", {"description": "f"}, uid="1234")),
        _apply(_object("me", {"description": "f"}, uid="1234", resourceVersion="1")),
        _apply(_object("me", status={"observedGeneration": 9}), "m3"),
        _apply(_object("me"), "m2"),
        _apply(_object("me"), "m1"),
        _apply(_object("me", {"providedCapabilities": [{"name": "x", "version": "1.0.0"}]})),
        _apply(_object("me", {"providedCapabilities": [{"name": "y", "version": "1.0.0"}]}), "m4", force=False),
        _apply(_object("me", {"providedCapabilities": []}), "m4"),
        _apply(_object("me", {}), "m1"),
        _get("me"),
    ],
    "first applies": [
        _post(_object("me")),
        _merge("me", {"spec": {"description": "merged"}, "metadata": {"labels": {"a": "b"}}}),
        _merge("me", {"status": {"observedGeneration": 7}}, "/status"),
        _apply(_object("me", {"description": "e"}), "m1"),
        _post(_object("you")),
        _merge("you", {"status": {"observedGeneration": 7}}, "/status"),
        _apply(_object("you", status={"conditions": [_condition("Ready")]}), "m1", "/status"),
        _apply(_object("you", status={"conditions": []}), "m1", "/status"),
    ],
    "refused applies": [
        Step("PATCH", f"{AGENTS}/me", _object("me"), APPLY, {"force": "true"}),
        _apply(_object("other"), name="me"),
        _apply(_object("me", {"bogus": 1})),
        _apply(_object("me", {"description": 4})),
        _apply(_object("me", managedFields=[])),
        _apply(_object("me", {"endpoint": {"protocol": "x"}}), loosely=True),
        Step("PATCH", f"{AGENTS}/me", {}, "application/strategic-merge-patch+json"),
    ],
    "statuses": [
        _post(ME),
        _apply(
            _object("me", {"description": "no"}, labels={"no": "no"}, status={"conditions": [_condition("Ready")]}),
            "s1",
            "/status",
        ),
        _apply(_object("me", status={"conditions": [_condition("Discovered")]}), "s2", "/status"),
        _apply(_object("me", status={"conditions": [_condition("Discovered", "False")]}), "s1", "/status", force=False),
        _apply(
            _object("me", status={"conditions": [_condition("A"), _condition("Discovered", "False"), _condition("B")]}),
            "s3",
            "/status",
        ),
        _apply(_object("me", status={"observedGeneration": 3, "conditions": []}), "s1", "/status"),
        _apply(_object("me", status={}), "s2", "/status"),
        _apply(_object("me", status={"observedGeneration": 4}, resourceVersion="1"), "s2", "/status"),
        _apply(_object("me", status={"observedGeneration": 4}, resourceVersion="{version:me}"), "s2", "/status"),
        _merge("me", {"status": {"observedGeneration": 7}, "metadata": {"labels": {"q": "q"}}}, "/status"),
        _put(_object("me", {"description": "no"}, resourceVersion="{version:me}", status={}), "/status"),
        _get("me"),
    ],
    "updates": [
        _apply(ME, "m1"),
        _merge("me", {"metadata": {"labels": {"a": "b", "y": None}}}),
        _merge("me", {"metadata": {"resourceVersion": "1", "labels": {"a": "c"}}}),
        _merge("me", {"metadata": {"uid": "1", "labels": {"a": "c"}}}),
        _merge("me", {"spec": {"description": "merged"}, "status": {"observedGeneration": 7}}),
        _merge("me", {"spec": {"bogus": 1}}),
        _merge("me", {"metadata": {"labels": None}, "spec": {"endpoint": None}}),
        _put(_object("me")),
        _put(_object("me", {"description": "put"}, resourceVersion="{version:me}", labels={"q": "1"})),
        _put(_object("me", {"description": "put"}, resourceVersion="{version:me}", labels={"q": "1"})),
        _put(_object("me", {"description": "late"}, resourceVersion="1")),
        _put(_object("me", {"description": "other"}, resourceVersion="{version:me}", uid="1")),
        _put(_object("me", resourceVersion="{version:me}")),
    ],
    "owners": [
        _post(_object("one")),
        _post(_object("two")),
        _apply(_object("r", {}, kind="ChannelRouting", ownerReferences=[_owner("one", controller=True)]), at=ROUTINGS),
        _apply(
            _object("r", {}, kind="ChannelRouting", ownerReferences=[_owner("one"), _owner("two")]), "m2", at=ROUTINGS
        ),
        _apply(_object("r", {"capabilityGroups": []}, kind="ChannelRouting"), at=ROUTINGS),
        _apply(_object("r", {}, kind="ChannelRouting", ownerReferences=[_owner("two")]), "m2", at=ROUTINGS),
    ],
    "deletions": [
        _post(ME),
        _delete("me", resourceVersion="1"),
        _delete("me", uid="1"),
        _delete("me", uid="{uid:me}"),
        _delete("me"),
        _post(_object("held", finalizers=["x.y/z"])),
        _delete("held"),
        _delete("held"),
        _apply(_object("held", {"description": "late"})),
        _merge("held", {"metadata": {"finalizers": None}}),
        _get("held"),
    ],
    "lists and watches": [
        *(_post(_object(f"a{i}", labels={"t": str(i % 3)} | ({"u": "x"} if i % 2 else {}))) for i in range(6)),
        *(
            _get(labelSelector=selector)
            for selector in ("t", "t=1", "t==1,u", "t!=1", "!t", "t in (0, 2)", "t notin (0,2)", "u=x,t in (1)", " t ")
        ),
        Step("GET", AGENTS, query={"labelSelector": "t==="}, loosely=True),
        _get(limit="2"),
        _get(limit="2", labelSelector="t"),
        Step("GET", AGENTS, query={"limit": "2", "continue": "zzz"}, loosely=True),
        _get(**WATCH),
        _get(**WATCH, labelSelector="u"),
        _get(**WATCH, resourceVersion="abc"),
        _get(**WATCH, resourceVersion="9", resourceVersionMatch="NotOlderThan"),
        _get(**WATCH, sendInitialEvents="true"),
        _get(**STREAM, allowWatchBookmarks="true"),
        Step("DELETE", AGENTS, query={"labelSelector": "u"}),
        Step("DELETE", AGENTS),
        _get(),
    ],
    "leases and events": [
        _post(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "l"},
                "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15},
            },
            LEASES,
        ),
        _put(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "l", "resourceVersion": "{version:l}"},
                "spec": {"holderIdentity": "b", "leaseDurationSeconds": 15},
            },
            at=LEASES,
        ),
        _put(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "l", "resourceVersion": "1"},
                "spec": {"holderIdentity": "c", "leaseDurationSeconds": 15},
            },
            at=LEASES,
        ),
        _get("l", at=LEASES),
        _get("m", at=LEASES),
        _merge("e", {"series": {"count": 2}}, at=EVENTS),
    ],
}


@pytest.mark.parametrize("topic", CONVERSATIONS)
async def test_both_servers_answer_alike(sides: Sides, topic: str) -> None:
    for step in CONVERSATIONS[topic]:
        assert await _compared(sides, step) == [], step


async def test_a_user_without_rights_is_refused_alike(api_server: Access, namespace: str) -> None:
    real = transport_to(configuration(kubeconfig=str(api_server.kubeconfig("nobody"))))
    simulated = ApiServer(namespaces=(namespace,))
    simulated.deny("*", "*", "nobody")
    sides = Conversation(real, namespace), Conversation(simulated.transport("nobody"), namespace)
    for step in (
        _get(),
        _get("me"),
        _get(at="/apis/lmos.eclipse/v1/agents"),
        _get(**WATCH),
        _post(ME),
        _put(ME),
        _merge("me", {}),
        _apply(ME, part="/status"),
        _delete("me"),
        Step("DELETE", AGENTS),
    ):
        assert await _compared(sides, step) == [], step
    await real.aclose()


def _random_step(rng: random.Random) -> Step:
    """Some manager changes some fields of one of two objects."""
    name, by = rng.choice("ab"), rng.choice(("m1", "m2", "m3"))
    labels = {label: rng.choice("123") for label in "xyz" if rng.random() < 0.4}
    spec: Json = {}
    if rng.random() < 0.5:
        spec["description"] = rng.choice("de")
    if rng.random() < 0.4:
        spec["supportedChannels"] = rng.choice(([], ["web"], ["web", "ivr"]))
    if rng.random() < 0.4:
        spec["endpoint"] = {"url": rng.choice(("http://a", "http://b"))}
    status: Json = {}
    if rng.random() < 0.7:
        types = rng.sample(("A", "B", "C"), rng.randint(1, 3))
        status["conditions"] = [_condition(name, rng.choice(("True", "False"))) for name in types]
    if rng.random() < 0.5:
        status["observedGeneration"] = rng.randint(1, 3)
    force = rng.random() < 0.7
    meta: dict[str, Any] = {"labels": labels} if labels else {}
    # What updates leave empty, and others own, is a matter of its own.
    all_labels: dict[str, Any] = {"labels": {"w": "0", **labels}}
    match rng.randint(0, 9):
        case 0 | 1 | 2 | 3:
            return _apply(_object(name, rng.choice((spec, None)), **meta), by, force=force)
        case 4 | 5 | 6:
            return _apply(_object(name, status=status), by, "/status", force=force)
        case 7:
            return _merge(name, {"metadata": all_labels, "spec": spec}, by=by)
        case 8:
            return _put(_object(name, spec, resourceVersion=f"{{version:{name}}}", **all_labels), by=by)
        case _:
            return rng.choice((_delete(name), _merge(name, {"status": status}, "/status", by=by)))


@pytest.mark.parametrize("seed", range(8))
async def test_both_servers_keep_the_same_owners_whoever_writes_what(sides: Sides, seed: int) -> None:
    rng = random.Random(seed)
    said = [_post(_object(name, labels={"w": "0"})) for name in "ab"]
    for number in range(60):
        step = said[number] if number < 2 else replace(_random_step(rng), loosely=True)
        said.append(step)
        assert await _compared(sides, step) == [], (number, step)
