"""The same requests to two API servers, and what they answer, without what must differ: uids, versions, times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson

from lmos.operator.kubernetes.transport import Transport

__all__ = ["APPLY", "MERGE", "Conversation", "Heard", "Json", "Step", "differences"]

Json = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_USER: Final = re.compile(r'User "[^"]*"')
_OURS: Final = ("Invalid", "BadRequest")
"""What is refused for reasons that the simulated server has words of its own for."""
_UNCHECKED: Final = "<nil>"
"""The field of a cause that says that rules were not checked, for other reasons."""


@dataclass(frozen=True)
class Step:
    """One request. `%` in the path is the namespace; the body may hold `{uid:NAME}` and `{version:NAME}`: those of an
    object as heard last.
    """

    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    loosely: bool = False
    """Whether the words of a refusal may differ: its code, its reason and the fields count."""


@dataclass
class Heard:
    """What one answer was."""

    code: int
    body: Any


class Conversation:
    """One side: requests in `namespace`, and names for what differs from server to server."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._names = {namespace: "NAMESPACE"}
        self._namespace = namespace
        self._latest: dict[str, Json] = {}

    async def say(self, step: Step) -> Heard:
        """What the server answers to `step`; of a watch all lines but bookmarks, until it ends."""
        path = step.path.replace("%", f"/namespaces/{self._namespace}")
        if step.query.get("watch"):
            async with self._transport.stream(path, query=step.query) as stream:
                lines = [orjson.loads(line) async for line in stream.lines]
                return Heard(stream.status, self._plain([line for line in lines if line.get("type") != "BOOKMARK"]))
        body = step.body if isinstance(step.body, bytes | None) else self._filled(step.body)
        answer = await self._transport.request(
            step.method, path, query=step.query, body=body, content_type=step.content_type
        )
        try:
            found = self._plain(orjson.loads(answer.body))
        except orjson.JSONDecodeError:
            found = answer.body.decode()
        return Heard(answer.status, _loose(found) if step.loosely else _in_order(found))

    def _filled(self, body: Any) -> bytes:
        text = orjson.dumps(body).decode()
        for name, meta in self._latest.items():
            text = text.replace(f"{{uid:{name}}}", meta["uid"])
            text = text.replace(f"{{version:{name}}}", meta["resourceVersion"])
        return text.encode()

    def _plain(self, found: Any) -> Any:
        self._learn(found)
        return self._renamed(found)

    def _learn(self, found: Any) -> None:
        """Give names to what is told for the first time."""
        for value in _children(found):
            self._learn(value)
        meta = cast("Json", found).get("metadata") if isinstance(found, dict) else None
        if isinstance(meta, dict) and "uid" in meta:
            known = cast("dict[str, str]", meta)
            self._latest[known["name"]] = known
            self._names.setdefault(known["uid"], f"UID{len(self._names)}")
            self._names.setdefault(known["resourceVersion"], f"VERSION{len(self._names)}")

    def _renamed(self, found: Any) -> Any:
        if isinstance(found, list):
            return [self._renamed(value) for value in cast("list[Any]", found)]
        if isinstance(found, dict):
            data = cast("Json", found)
            if str(data.get("kind")).endswith("List"):
                data = data | {"metadata": data["metadata"] | {"resourceVersion": "", "continue": ""}}
            if "managedFields" in data:  # in order of times, which may differ by a second
                data = data | {"managedFields": sorted(data["managedFields"], key=_who)}
            return {self._renamed(name): self._renamed(value) for name, value in data.items()}
        if not isinstance(found, str):
            return found
        text = _USER.sub('User "USER"', _TIME.sub("TIME", found))
        for known, name in self._names.items():
            text = re.sub(rf"(?<![\w-]){re.escape(known)}(?![\w-])", name, text)  # no version within a uid
        return text


def differences(real: Any, simulated: Any, path: str = "") -> list[str]:
    """Where two answers differ, in words."""
    if real == simulated:
        return []
    if isinstance(real, dict) and isinstance(simulated, dict):
        left, right = cast("Json", real), cast("Json", simulated)
        return [
            line for key in {**left, **right} for line in differences(left.get(key), right.get(key), f"{path}.{key}")
        ]
    if (
        isinstance(real, list)
        and isinstance(simulated, list)
        and len(cast("list[Any]", real)) == len(cast("list[Any]", simulated))
    ):
        pairs = enumerate(zip(cast("list[Any]", real), cast("list[Any]", simulated), strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{path}[{number}]")]
    return [f"{path or 'all'}: really {real!r}, here {simulated!r}"]


def _children(found: Any) -> list[Any]:
    if isinstance(found, dict):
        return list(cast("Json", found).values())
    return cast("list[Any]", found) if isinstance(found, list) else []


def _in_order(found: Any) -> Any:
    """Conflicts with several managers are told in the order of a Go map."""
    if not isinstance(found, dict):
        return found
    told = cast("Json", found)
    causes: list[Json] = told.get("details", {}).get("causes", [])
    if not causes or causes[0]["reason"] != "FieldManagerConflict":
        return told
    ordered: Json = {"causes": sorted(causes, key=lambda cause: (cause["message"], cause["field"]))}
    return told | {"message": sorted(re.split(r": |\n", told["message"])), "details": ordered}


def _who(entry: Json) -> tuple[str, ...]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


def _loose(found: Any) -> Any:
    if not isinstance(found, dict) or (told := cast("Json", found)).get("reason") not in _OURS:
        return _in_order(found)
    causes = told.get("details", {}).get("causes", ())
    return {"reason": told["reason"], "fields": sorted({cause["field"] for cause in causes} - {_UNCHECKED})}
