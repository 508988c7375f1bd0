"""Lists: whole, in pages, and the questions of which a watch consists.

`ApiServer` asks. The pages of one list show one state, until the server is told to forget it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import orjson

from lmos.testing.api_server.answers import Json, Refusal, bad_request, cause, expired, status
from lmos.testing.api_server.conditions import Target
from lmos.testing.api_server.requests import TRUE
from lmos.testing.api_server.selectors import selector_of
from lmos.testing.api_server.storage import Storage
from lmos.testing.api_server.watches import Wanted, selected

__all__ = ["Lists", "wanted_of"]

_WATCH_SECONDS: Final = 1800.0
_TOO_OLD: Final = (
    "The provided continue parameter is too old to display a consistent list result. You must start a new list without "
    "the continue parameter."
)


class Lists:
    """Pages of lists of what is in `storage`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._rests: dict[str, tuple[int, list[Json]]] = {}

    def forget(self) -> None:
        """The rests of lists that were begun are lost."""
        self._rests.clear()

    def page(self, target: Target, query: Mapping[str, str]) -> Json:
        """A list, or the part of it that the query asks for."""
        limit, token = int(query.get("limit", 0)), query.get("continue", "")
        if token:
            version, items = self._continued(token)
        else:
            version, items = self._storage.version, selected(wanted_of(target, query))
            self._check_version(query)
        meta: Json = {"resourceVersion": str(version), "continue": ""}
        if 0 < limit < len(items):
            meta["continue"] = self._token(version, items[limit - 1], items[limit:])
            if "labelSelector" not in query:
                meta["remainingItemCount"] = len(items) - limit
            items = items[:limit]
        if not target.served.strict and not meta["continue"]:
            del meta["continue"]
        served = target.served
        return {"apiVersion": served.api_version, "kind": f"{served.kind}List", "metadata": meta, "items": items}

    def _check_version(self, query: Mapping[str, str]) -> None:
        """A list is of now; one of an earlier state is none that we make."""
        version = _version(query)
        if query.get("resourceVersionMatch") == "Exact":
            raise NotImplementedError("the simulated API server lists what is, not what was")
        if version > self._storage.version:
            said = f"Too large resource version: {version}, current: {self._storage.version}"
            why = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            raise Refusal(status(504, f"Timeout: {said}", "Timeout", causes=[why], retryAfterSeconds=1))

    def _token(self, version: int, last: Json, rest: list[Json]) -> str:
        name = last["metadata"]["name"]
        data = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": f"{name}\0", "of": len(self._rests)})
        token = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        self._rests[token] = version, rest
        return token

    def _continued(self, token: str) -> tuple[int, list[Json]]:
        rest = self._rests.get(token)
        if rest is not None:
            return rest
        try:
            orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        except ValueError:
            raise bad_request("invalid continue token: continue key is not valid") from None
        raise expired(_TOO_OLD)


def wanted_of(target: Target, query: Mapping[str, str]) -> Wanted:
    """What a query asks of a collection. Raises `Refusal`."""
    version, streams = _version(query), query.get("sendInitialEvents") in TRUE
    bookmarks = query.get("allowWatchBookmarks") in TRUE
    match = query.get("resourceVersionMatch")
    if streams and match != "NotOlderThan":
        raise _forbidden_option("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if query.get("watch") in TRUE and match and not streams:
        raise _forbidden_option("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    from_start = streams or version == 0
    return Wanted(
        target.served,
        target.collection,
        target.key.namespace,
        selector_of(query.get("labelSelector", "")),
        None if from_start else version,
        bookmarks,
        bookmarks and from_start and (streams or query.get("resourceVersion") == "0"),
        float(query.get("timeoutSeconds", _WATCH_SECONDS)),
    )


def _version(query: Mapping[str, str]) -> int:
    text = query.get("resourceVersion", "")
    if text and not (text.isascii() and text.isdigit()):
        said = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise Refusal(status(500, said))
    return int(text or 0)


def _forbidden_option(why: str) -> Refusal:
    said = f"Forbidden: {why}"
    return Refusal(
        status(
            422,
            f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {said}',
            "Invalid",
            group="meta.k8s.io",
            kind="ListOptions",
            causes=[cause("FieldValueForbidden", said, "resourceVersionMatch")],
        )
    )
