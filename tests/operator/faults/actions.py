"""What people, controllers and fate do in a schedule: made from a seed alone, before anything runs.

So a schedule is a list that can be printed, run again, and made shorter. An action that has nothing to act upon (an
object that is not there) does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal

from tests.operator.builders import LABELS, agent, channel

__all__ = ["Action", "Compact", "Cut", "Deny", "Fell", "Ready", "Recreate", "Restart", "Send", "Strike", "Wait", "life"]

Json = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json"
PEOPLE: Final = "people"
NAMESPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Send:
    """A request of somebody who is not an operator. `plural` is as in `PATHS`."""

    method: str
    plural: str
    name: str
    body: Any = None
    content_type: str = JSON
    part: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The pods of a Deployment are, or are not, what is declared."""

    name: str
    ready: bool


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Compact:
    """The API server forgets what was."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The API server is away for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """No operator reaches the API server for a while, which goes on without them."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Recreate:
    """A definition is deleted, with all its objects, and created again later."""

    plural: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Deny:
    """Operators may not do something for a while."""

    verb: str
    plural: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Fell:
    """An operator is killed, stopped or paused; another process takes its place, or it goes on, after a while."""

    how: Literal["kill", "stop", "pause"]
    leader: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to an operator at the wait number `at` of all reconciles, counted from 1.

    With `loses_requests` what is under way does not arrive, as when the machine dies.
    """

    at: int
    how: Literal["kill", "stop", "pause"]
    seconds: float
    loses_requests: bool = False


Action = Send | Ready | Wait | Compact | Restart | Cut | Recreate | Deny | Fell

_CAPABILITIES: Final = ("x", "y", "z")
_VERSIONS: Final = ("0.9.0", "1.0.0", "1.1.0", "2.0.0", "bad")
_RANGES: Final = ("*", "^1.0.0", ">=2", "<2")
_SUBSETS: Final = (None, None, "stable", "canary")


def life(seed: int, *, length: int = 24, workloads: bool = False) -> list[Action]:
    """The actions of the schedule `seed`."""
    rng = Random(seed)
    found: list[Action] = [_agent(rng), _channel(rng)]
    while len(found) < length:
        found += _something(rng, workloads)
        if rng.random() < 0.6:
            found.append(Wait(rng.choice((0.0, 0.02, 0.3, 2.0))))
        elif rng.random() < 0.1:
            found.append(Wait(rng.choice((12.0, 35.0))))
    return found


def _something(rng: Random, workloads: bool) -> list[Action]:
    chance = rng.random()
    if chance < 0.44:
        return [rng.choice((_agent, _agent, _channel, _remove_agent, _remove_channel))(rng)]
    if chance < 0.6:
        return [_foreign_edit(rng)]
    if chance < 0.64:
        return _again(rng)
    if chance < 0.76 and workloads:
        return [rng.choice((_deployment, _ready, _service, _remove_workload, _unlabel))(rng)]
    if chance < 0.86:
        return [_fate(rng)]
    return [_fall(rng)]


def _agent_name(rng: Random) -> str:
    return f"agent-{rng.randint(0, 3)}"


def _channel_name(rng: Random) -> str:
    return f"channel-{rng.randint(0, 3)}"


def _agent(rng: Random) -> Action:
    provided = [(rng.choice(_CAPABILITIES), rng.choice(_VERSIONS)) for _ in range(rng.randint(0, 2))]
    name, channels = _agent_name(rng), rng.choice((("web",), ("web", "ivr"), ("ivr",)))
    return _written(rng, "agents", agent(name, *provided, subset=rng.choice(_SUBSETS), channels=channels).to_wire())


def _channel(rng: Random) -> Action:
    wanted = [(rng.choice(_CAPABILITIES), rng.choice(_RANGES)) for _ in range(rng.randint(0, 2))]
    labels = LABELS | {"subset": rng.choice(("stable", "canary"))}
    if rng.random() < 0.2:
        del labels["subset"]
    body = channel(*wanted, name=_channel_name(rng), labels=labels).to_wire()
    if rng.random() < 0.06:
        del body["spec"]  # an API server takes it; nobody can read it
    return _written(rng, "channels", body)


def _written(rng: Random, plural: str, body: Json) -> Action:
    body.pop("status", None)
    meta = body["metadata"] = {k: v for k, v in body["metadata"].items() if k in ("name", "labels")}
    if rng.random() < 0.5:
        return Send("PATCH", plural, meta["name"], body, APPLY)
    return Send("POST", plural, meta["name"], body)


def _remove_agent(rng: Random) -> Action:
    return Send("DELETE", "agents", _agent_name(rng))


def _remove_channel(rng: Random) -> Action:
    return Send("DELETE", "channels", _channel_name(rng))


def _again(rng: Random) -> list[Action]:
    """A channel or agent goes and comes back at once, as another object of its name."""
    made = rng.choice((_agent, _channel))(rng)
    assert isinstance(made, Send)
    return [Send("DELETE", made.plural, made.name), Send("POST", made.plural, made.name, made.body)]


def _foreign_edit(rng: Random) -> Action:
    """Somebody writes what is the operator's."""
    name = _channel_name(rng)
    group: Json = {"id": "1", "name": "intruder", "description": "", "capabilities": []}
    condition = {"type": "Resolved", "status": "Unknown", "reason": "Meddled", "message": "", "lastTransitionTime": "x"}
    match rng.randint(0, 9):
        case 0:
            return Send("PATCH", "channelroutings", name, {"spec": {"capabilityGroups": [group]}}, MERGE)
        case 1:
            return Send("PATCH", "channelroutings", name, {"metadata": {"ownerReferences": None}}, MERGE)
        case 2:
            meta: Json = {"labels": rng.choice(({"tenant": None}, {"subset": "other"}, {"theirs": "yes"}))}
            if rng.random() < 0.3:
                meta["annotations"] = {"lmos.eclipse/agents": rng.choice(("nobody", None))}
            return Send("PATCH", "channelroutings", name, {"metadata": meta}, MERGE)
        case 3 | 4:
            return Send("DELETE", "channelroutings", name)
        case 5:
            body: Json = {
                "apiVersion": "lmos.eclipse/v1",
                "kind": "ChannelRouting",
                "metadata": {"name": name},
                "spec": {"capabilityGroups": [group]},
            }
            return Send("POST", "channelroutings", name, body)
        case 6:
            return Send("PATCH", "channels", name, {"status": {"resolveStatus": "RESOLVED"}}, MERGE, "/status")
        case 7:
            return Send("PATCH", "channels", name, {"status": {"conditions": [condition]}}, MERGE, "/status")
        case 8:
            return Send("PATCH", "agents", _agent_name(rng), {"status": {"conditions": [condition]}}, MERGE, "/status")
        case _:
            labels = {"subset": rng.choice(("stable", "canary"))}
            plural, known = rng.choice((("channels", name), ("agents", _agent_name(rng))))
            return Send("PATCH", plural, known, {"metadata": {"labels": labels}}, MERGE)


def _deployment(rng: Random) -> Action:
    name, revision = _agent_name(rng), str(rng.randint(1, 3))
    pods = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "a", "image": f"a:{revision}"}]}}
    meta = {
        "name": name,
        "labels": {"lmos-agent": "true"} | ({"subset": "canary"} if rng.random() < 0.3 else {}),
        "annotations": {"deployment.kubernetes.io/revision": revision},
    }
    spec = {"replicas": rng.randint(0, 2), "template": pods}
    return Send(
        "PATCH",
        "deployments",
        name,
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
        APPLY,
    )


def _ready(rng: Random) -> Action:
    return Ready(_agent_name(rng), rng.random() < 0.8)


def _service(rng: Random) -> Action:
    name = _agent_name(rng)
    spec = {"selector": {"app": name}, "ports": [{"protocol": "TCP", "port": rng.choice((8080, 9090))}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    return Send("PATCH", "services", name, body, APPLY)


def _remove_workload(rng: Random) -> Action:
    return Send("DELETE", rng.choice(("deployments", "services")), _agent_name(rng))


def _unlabel(rng: Random) -> Action:
    return Send("PATCH", "deployments", _agent_name(rng), {"metadata": {"labels": {"lmos-agent": None}}}, MERGE)


def _fate(rng: Random) -> Action:
    plural = rng.choice(("agents", "channels", "channelroutings"))
    match rng.randint(0, 5):
        case 0 | 1:
            return Compact()
        case 2:
            return Restart(rng.choice((0.1, 3.0, 12.0)))
        case 3:
            return Cut(rng.choice((0.5, 5.0, 25.0)))
        case 4:
            return Recreate(plural, rng.choice((0.1, 2.0, 10.0)))
        case _:
            return Deny(rng.choice(("patch", "watch", "list", "*")), plural, rng.choice((1.0, 8.0)))


def _fall(rng: Random) -> Action:
    how: Literal["kill", "stop", "pause"] = rng.choice(("kill", "kill", "stop", "pause", "pause"))
    seconds = rng.choice((0.5, 8.0, 18.0, 40.0)) if how == "pause" else rng.choice((0.0, 0.5, 5.0))
    return Fell(how, rng.random() < 0.8, seconds)
