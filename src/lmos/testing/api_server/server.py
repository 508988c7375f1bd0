"""`ApiServer`: what is served, to whom, and since when; requests find their way to what answers them.

Tests drive it: objects from outside through `transport`, and what happens to API servers through `stop`, `start`,
`compact`, `withdraw`, `serve` and `deny`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Final

import orjson

from lmos.clock import Clock, SystemClock, rfc3339
from lmos.operator.kubernetes.transport import Answer, Transport
from lmos.testing.api_server.answers import (
    Json,
    Refusal,
    bad_request,
    forbidden,
    json_answer,
    not_found,
    not_served,
    status,
)
from lmos.testing.api_server.conditions import Target
from lmos.testing.api_server.garbage import Collector
from lmos.testing.api_server.lists import Lists, wanted_of
from lmos.testing.api_server.requests import TRUE, Request
from lmos.testing.api_server.schemas import without_unknown
from lmos.testing.api_server.served import RESOURCES
from lmos.testing.api_server.storage import Key, Storage
from lmos.testing.api_server.transport import InProcess
from lmos.testing.api_server.watches import watch
from lmos.testing.api_server.writes import Writes

__all__ = ["ApiServer"]

_ANY: Final = "*"
_MANAGER: Final = "lmos"
"""Who does not say who writes: the real server takes the first word of `User-Agent`."""
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_KNOWN_QUERY: Final = frozenset(
    {
        *("fieldManager", "force", "fieldValidation", "labelSelector", "limit", "continue", "watch", "timeoutSeconds"),
        *("allowWatchBookmarks", "resourceVersion", "resourceVersionMatch", "sendInitialEvents"),
    }
)


class ApiServer:
    """Serves our four kinds, Deployments, Argo's Rollouts, Services, Leases, Events and Namespaces.

    `clock` gives timestamps and uids; all waiting is the event loop's. Garbage is collected `collect_after` seconds
    after it came about, bookmarks come every `bookmark_seconds`. Everybody may do everything until `deny` says so.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        namespaces: Iterable[str] = ("default",),
        collect_after: float = 0.1,
        bookmark_seconds: float = 60.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._storage = Storage()
        self._writes = Writes(self._storage, self._clock, self._orphaned)
        self._lists = Lists(self._storage)
        self._collector = Collector(self._storage, self._writes, collect_after, lambda: self.running)
        self._bookmark_seconds = bookmark_seconds
        self._denied: set[tuple[str, str, str]] = set()
        self._started = 1
        self.running = True
        for served in RESOURCES:
            self._storage.add(served)
        for name in namespaces:
            self.add_namespace(name)

    @property
    def version(self) -> int:
        """The newest resource version."""
        return self._storage.version

    def transport(self, user: str = "admin") -> Transport:
        """A connection of `user`."""
        return InProcess(self, user)

    def objects(self, plural: str) -> list[Json]:
        """All objects of a resource that is served, by namespace and name. Do not change them."""
        _, collection = self._storage.named(plural)
        return [
            found for _, found in sorted(collection.objects.items(), key=lambda pair: (pair[0].namespace, pair[0].name))
        ]

    def add_namespace(self, name: str) -> None:
        """A namespace, as if somebody had made it."""
        served, _ = self._storage.named("namespaces")
        now = rfc3339(self._clock.now())
        meta = {"name": name, "uid": self._clock.new_id(), "creationTimestamp": now}
        found = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta, "status": {"phase": "Active"}}
        self._storage.put(served, Key("", name), found)

    def deny(self, verb: str, plural: str, user: str = _ANY) -> None:
        """From now on `user` may not `verb` the resource; `*` stands for any of them."""
        self._denied.add((user, verb, plural))

    def allow_all(self) -> None:
        """Nothing is denied any more."""
        self._denied.clear()

    def compact(self) -> None:
        """Forget the changes so far: a watch from an earlier version is told that it is too old."""
        self._storage.compact()
        self._lists.forget()

    def stop(self) -> None:
        """Break all connections, and take none."""
        self.running = False
        self._started += 1
        for _, collection in self._storage.served():
            collection.wake()

    def start(self) -> None:
        """Serve again. It knows what is, and nothing of what was."""
        self.compact()
        for _, collection in self._storage.served():
            collection.written = False
        self.running = True
        self._collector.look()

    def withdraw(self, plural: str) -> None:
        """Serve the resource no more, as when its definition is deleted: its objects go first."""
        served, _ = self._storage.named(plural)
        self._storage.drop(served)
        self._orphaned()

    def serve(self, plural: str) -> None:
        """Serve a resource again that was withdrawn, without objects."""
        self._storage.add(next(served for served in RESOURCES if served.plural == plural))

    def answer(self, request: Request) -> Answer:
        """What a request that is no watch is answered, at once."""
        try:
            target = self._target(request)
            if target is None:
                return not_served()
            self._authorize(request, target)
            return self._answer(request, target)
        except Refusal as refusal:
            return refusal.reply

    def watch(self, request: Request) -> Answer | AsyncGenerator[bytes]:
        """The lines of a watch, or why there is none."""
        try:
            target = self._target(request)
            if target is None:
                return not_served()
            self._authorize(request, target)
            wanted, started = wanted_of(target, request.query), self._started
        except Refusal as refusal:
            return refusal.reply
        return watch(self._storage, wanted, self._bookmark_seconds, lambda: self._started == started)

    def _orphaned(self) -> None:
        self._collector.look()

    def _target(self, request: Request) -> Target | None:
        """What the path names, if that is served."""
        for name in request.query:
            if name not in _KNOWN_QUERY:
                raise NotImplementedError(f"the simulated API server does not know the query parameter {name!r}")
        parts = request.path.strip("/").split("/")
        depth = 2 if parts[0] == "api" else 3
        root, rest = "/" + "/".join(parts[:depth]), parts[depth:]
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces" and rest[2] != "status":
            namespace, rest = rest[1], rest[2:]
        found = self._storage.find(root, rest[0]) if rest else None
        name, part = [*rest[1:], "", ""][:2]
        if found is None or (part and not (part == "status" and found[0].has_status)) or len(rest) > 3:
            if found is not None and part == "status":
                raise not_found(found[0], name)
            return None
        return Target(*found, Key(namespace, name), "status" if part else "")

    def _authorize(self, request: Request, target: Target) -> None:
        one = bool(target.key.name)
        verbs = {
            "GET": "get" if one else "watch" if request.watches else "list",
            "POST": "create",
            "PUT": "update",
            "PATCH": "patch",
            "DELETE": "delete" if one else "deletecollection",
        }
        verb, resource = verbs[request.method], target.served.plural + (f"/{target.part}" if target.part else "")
        what = target.key.namespace, target.key.name, target.part
        for user in (request.user, _ANY):
            for denied in ((user, verb, resource), (user, _ANY, resource), (user, verb, _ANY), (user, _ANY, _ANY)):
                if denied in self._denied:
                    raise forbidden(target.served, what, request.user, verb)

    def _answer(self, request: Request, target: Target) -> Answer:
        match request.method:
            case "GET":
                return json_answer(self._read(request, target))
            case "DELETE":
                return self._delete(request, target)
            case "PATCH":
                return self._patch(request, target)
            case _:
                return self._write(request, target)

    def _read(self, request: Request, target: Target) -> Json:
        if not target.key.name:
            return self._lists.page(target, request.query)
        found = target.collection.objects.get(target.key)
        if found is None:
            raise not_found(target.served, target.key.name)
        return found

    def _write(self, request: Request, target: Target) -> Answer:
        body, manager = _parsed(request), request.query.get("fieldManager", _MANAGER)
        body, unknown = without_unknown(target.served, body)
        self._judge_unknown(request, target, unknown)
        if request.method == "POST":
            return json_answer(self._writes.create(target, body, manager), 201, warnings=_warnings(unknown))
        return json_answer(self._writes.replace(target, body, manager), warnings=_warnings(unknown))

    def _patch(self, request: Request, target: Target) -> Answer:
        query = request.query
        if request.content_type == _APPLY:
            force = query.get("force") in TRUE
            body = _parsed(request)
            found, new = self._writes.apply(target, body, query.get("fieldManager", ""), force=force)
            return json_answer(found, 201 if new else 200)
        if request.content_type == _MERGE:
            found, unknown = self._writes.merge(target, _parsed(request), query.get("fieldManager", _MANAGER))
            return json_answer(found, warnings=_warnings(unknown))
        said = (
            "the body of the request was in an unknown format - accepted media types include: "
            f"application/json-patch+json, {_MERGE}, {_APPLY}"
        )
        raise Refusal(status(415, said, "UnsupportedMediaType"))

    def _delete(self, request: Request, target: Target) -> Answer:
        options = _parsed(request) if request.body else {}
        if target.key.name:
            return json_answer(self._writes.delete(target, options))
        listed = self._lists.page(target, request.query)
        for item in listed["items"]:
            key = Key(item["metadata"].get("namespace", ""), item["metadata"]["name"])
            self._writes.delete(Target(target.served, target.collection, key), options)
        return json_answer(listed)

    def _judge_unknown(self, request: Request, target: Target, unknown: list[str]) -> None:
        if unknown and request.query.get("fieldValidation") == "Strict":
            kind, told = target.served.kind, ", ".join(f'unknown field "{path}"' for path in unknown)
            version = target.served.version
            raise bad_request(
                f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {told}'
            )


def _warnings(unknown: list[str]) -> list[str]:
    return [f'unknown field "{path}"' for path in unknown]


def _parsed(request: Request) -> Json:
    try:
        return orjson.loads(request.body or b"")
    except orjson.JSONDecodeError as error:
        raise bad_request(f"error decoding the body: {error}") from error
